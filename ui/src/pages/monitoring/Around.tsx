import { useNavigate } from "@tanstack/react-router";
import { Board, Lane, Spans, Versions } from "../../charts/Board";
import { Figure } from "../../charts/Figure";
import { LineLegend, RedMark, WindowChart } from "../../charts/WindowChart";
import { StatusBadge } from "../../components/Badge";
import { DataTable } from "../../components/DataTable";
import type { Incident } from "../../data/incidents";
import type { DriftHistory, PerformanceHistory, Stretch } from "../../data/monitoring";
import { plural, value } from "../../format/number";
import { stretchText } from "./cells";
import { Heat, HeatLegend } from "./Heat";
import { extent, reignsOf } from "./lanes";
import { linesOf } from "./PerformanceBoard";
import { States } from "./States";

interface AroundProps {
  of: Incident;
  drift?: DriftHistory;
  performance?: PerformanceHistory;
}

/** The windows around an incident. */
export function Around({ of, drift, performance }: AroundProps) {
  const navigate = useNavigate();
  const stretches = drift?.stretches ?? performance?.stretches ?? [];
  if (stretches.length === 0) return <p>No window of that time is kept.</p>;
  const { from, to } = extent(stretches);
  const lines = performance ? linesOf(performance) : [];
  const red = drift && { ...drift, features: drift.features.filter((f) => f.reds > 0) };
  const [model = "", environment = ""] = of.endpoint.split("@");
  return (
    <Figure
      title={plural(stretches.length, "window")}
      describe={`Windows around the incident, of which ${stretches.filter((s) => s.reds > 0).length} are red`}
      table={() => <Table stretches={stretches} />}
    >
      <Board from={from} to={to} clock="event time">
        {(frame) => (
          <>
            <Versions frame={frame} reigns={reignsOf(stretches)} />
            <Spans
              frame={frame}
              label="this incident"
              spans={[
                {
                  key: of.id,
                  from: Date.parse(of.opened_at),
                  to: of.resolved_at ? Date.parse(of.resolved_at) : to,
                  label: of.resolved_at ? of.kind : `${of.kind}, open`,
                  tone: "warn",
                  link: (props) => <span {...props} />,
                },
              ]}
            />
            <Lane label="windows">
              <States frame={frame} stretches={stretches} />
            </Lane>
            {red && red.features.length > 0 && (
              <Heat
                frame={frame}
                history={red}
                chosen={undefined}
                onChoose={(at) => {
                  const [feature, stretch] = [red.features[at.row], red.stretches[at.column]];
                  if (!feature || !stretch) return;
                  void navigate({
                    to: "/p/$project/monitoring/$model/$environment",
                    from: "/p/$project/incidents/$incident",
                    params: (p) => ({ project: p.project, model, environment }),
                    search: { feature: feature.name, at: stretch.from },
                  });
                }}
              />
            )}
            {performance && (
              <WindowChart
                frame={frame}
                label={performance.metric ?? "metric"}
                lines={lines}
                marks={reignsOf(stretches).map((r) => r.from)}
                format={(y) => value(y, 3)}
              />
            )}
          </>
        )}
      </Board>
      {drift ? (
        <HeatLegend />
      ) : (
        <LineLegend lines={lines}>
          <li>
            <RedMark /> red window
          </li>
        </LineLegend>
      )}
    </Figure>
  );
}

function Table({ stretches }: { stretches: Stretch[] }) {
  return (
    <DataTable
      label="Windows around the incident"
      rows={stretches}
      rowKey={(s) => `${s.from} ${s.worst.version}`}
      columns={[
        { id: "when", head: "Window", cell: stretchText, sort: (s) => Date.parse(s.from) },
        { id: "version", head: "Version", numeric: true, cell: (s) => s.worst.version },
        { id: "state", head: "State", cell: (s) => <StatusBadge state={s.worst.state} /> },
        { id: "value", head: "Value", numeric: true, cell: (s) => value(s.worst.value, 3) },
        { id: "limit", head: "Limit", numeric: true, cell: (s) => value(s.worst.limit, 3) },
        { id: "why", head: "Why", cell: (s) => s.worst.reason ?? "" },
      ]}
    />
  );
}
