import { Button, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useState } from "react";
import { Board, Lane, type Zoom } from "../../charts/Board";
import { Figure } from "../../charts/Figure";
import { LineLegend, WindowChart, type WindowLine } from "../../charts/WindowChart";
import { StatusBadge } from "../../components/Badge";
import { DataTable } from "../../components/DataTable";
import { Loaded } from "../../components/Loaded";
import { distributionQuery, type DriftHistory, type Monitoring } from "../../data/monitoring";
import { duration, plural, value } from "../../format/number";
import { Distribution } from "./Distribution";
import { cellOf, stretchText, tell, type HeatCell } from "./cells";
import { Heat, HeatLegend, type HeatPlace } from "./Heat";
import { extent, Lanes } from "./lanes";
import type { Change } from "./Room";
import type { CellSearch } from "./routes";
import { States } from "./States";
import unseen from "../../components/unseen.module.css";
import css from "./Boards.module.css";

/** How many features are drawn before somebody asks for all. */
const FEW = 20;

interface DriftBoardProps {
  history: DriftHistory;
  of: Monitoring;
  search: CellSearch;
  change: Change<CellSearch>;
  onZoom?: Zoom;
  /** The incident that the page is about. */
  incident?: string;
}

/** The heat map of drift with what happened beside it, and the cell that was chosen. */
export function DriftBoard(props: DriftBoardProps) {
  const { history, of, search, change, onZoom } = props;
  const [all, setAll] = useState(false);
  const { stretches, features } = history;
  const row = features.findIndex((f) => f.name === search.feature);
  const at = Date.parse(search.at ?? "");
  const column = stretches.findIndex((s) => Date.parse(s.from) <= at && at < Date.parse(s.to));
  const chosen = row >= 0 && column >= 0 ? { row, column } : undefined;
  const shown = all || row >= FEW ? features : features.slice(0, FEW);
  const { from, to } = extent(stretches);
  const reds = stretches.reduce((n, s) => n + s.reds, 0);
  return (
    <>
      <Figure
        title={`${plural(history.windows, "window")}, ${reds} red`}
        describe={`Drift of ${plural(features.length, "feature")} over ${plural(history.windows, "window")}`}
        table={() => <Table history={history} />}
      >
        <Board from={from} to={to} clock="event time" onZoom={onZoom}>
          {(frame) => (
            <>
              <Lanes
                frame={frame}
                stretches={stretches}
                of={of}
                kind="drift"
                current={props.incident}
              />
              <Lane label="windows">
                <States frame={frame} stretches={stretches} />
              </Lane>
              <Heat
                frame={frame}
                history={{ ...history, features: shown }}
                chosen={chosen}
                onChoose={(c) =>
                  change({ feature: shown[c.row]?.name, at: stretches[c.column]?.from })
                }
                onZoom={onZoom}
              />
            </>
          )}
        </Board>
        <HeatLegend />
      </Figure>
      <div className={css.under}>
        {features.length > FEW && (
          <Button variant="default" onClick={() => setAll(!all)}>
            {shown.length > FEW
              ? `Show the ${FEW} reddest`
              : `Show all ${features.length} features`}
          </Button>
        )}
        {history.step_ms > 0 && (
          <span className={css.dim}>
            Each column is {duration(history.step_ms)} wide and shows the worst of its windows.
          </span>
        )}
        {!chosen && stretches.length > 0 && (
          <span className={css.dim}>
            Choose a cell to see the distribution behind it{onZoom && "; drag to zoom"}.
          </span>
        )}
      </div>
      <p className={unseen.always} role="status">
        {chosen && `Below: ${features[chosen.row]?.name ?? ""} in that window`}
      </p>
      {chosen && (
        <Chosen
          history={history}
          at={chosen}
          of={of}
          onClose={() => change({ feature: undefined, at: undefined })}
        />
      )}
    </>
  );
}

interface ChosenProps {
  history: DriftHistory;
  at: HeatPlace;
  of: Monitoring;
  onClose: () => void;
}

function Chosen({ history, at, of, onClose }: ChosenProps) {
  const { project } = useParams({ from: "/p/$project" });
  const track = history.features[at.row];
  const stretch = history.stretches[at.column];
  const judged = track?.psi[at.column] != null;
  const query = useQuery({
    ...distributionQuery(project, of.endpoint, {
      feature: track?.name ?? "",
      version: stretch?.worst.version ?? 0,
      from: stretch?.from ?? "",
      to: stretch?.to ?? "",
    }),
    enabled: judged,
  });
  if (!track || !stretch) return null;
  return (
    <div className={css.chosen} data-keys-to="[role=grid]">
      <div className={css.chosenHead}>
        <h3>
          {track.name}, {stretchText(stretch)}
        </h3>
        <Button
          variant="subtle"
          color="gray"
          leftSection={<X size={14} aria-hidden />}
          onClick={onClose}
        >
          Close
        </Button>
      </div>
      {judged ? (
        <div className={css.pair}>
          <div>
            <Loaded query={query} skeleton={<Skeleton height={280} />}>
              {(d) => <Distribution data={d} />}
            </Loaded>
          </div>
          <Course history={history} row={at.row} at={Date.parse(stretch.from)} />
        </div>
      ) : (
        <p className={css.dim}>{stretch.worst.reason ?? "It was not judged in this window."}</p>
      )}
    </div>
  );
}

/** One feature's drift over time with its limit. */
function Course({ history, row, at }: { history: DriftHistory; row: number; at: number }) {
  const track = history.features[row];
  if (!track) return null;
  const points = history.stretches.map((s, i) => ({
    from: Date.parse(s.from),
    to: Date.parse(s.to),
    y: track.psi[i] ?? null,
    red: track.red[i] ?? false,
  }));
  const limits = points.map((p, i) => ({ ...p, y: track.limit[i] ?? null, red: false }));
  const lines: WindowLine[] = [
    { label: `PSI of ${track.name}`, points, color: 1 },
    { label: "its limit", points: limits, color: "limit" },
  ];
  const { from, to } = extent(history.stretches);
  return (
    <Figure
      title="Over time"
      describe={`PSI of ${track.name} with its limit; red ${plural(track.reds, "time")}`}
      table={() => (
        <DataTable
          label={`PSI of ${track.name}`}
          rows={history.stretches.map((s, i) => ({ s, cell: cellOf(track, i) }))}
          rowKey={(r) => r.s.from}
          columns={[
            { id: "when", head: "Window", cell: (r) => stretchText(r.s) },
            { id: "psi", head: "PSI", numeric: true, cell: (r) => value(r.cell.psi, 3) },
            { id: "limit", head: "Limit", numeric: true, cell: (r) => value(r.cell.limit, 3) },
            { id: "red", head: "", cell: (r) => (r.cell.red ? <StatusBadge state="red" /> : "") },
          ]}
        />
      )}
    >
      <Board from={from} to={to} clock="event time">
        {(frame) => (
          <WindowChart
            frame={frame}
            label="PSI"
            lines={lines}
            marks={[at]}
            format={(y) => value(y, 3)}
          />
        )}
      </Board>
      <LineLegend lines={lines} />
    </Figure>
  );
}

/** What the map shows, as a table: a row for each feature in each window. */
function Table({ history }: { history: DriftHistory }) {
  const rows = history.stretches.map((stretch, column) => ({
    stretch,
    column,
    worst: history.features
      .map((f) => ({ name: f.name, cell: cellOf(f, column) }))
      .filter((f) => f.cell.psi !== null)
      .sort((a, b) => ratio(b.cell) - ratio(a.cell)),
  }));
  return (
    <DataTable
      label="Drift of each feature in each window"
      rows={rows}
      rowKey={(r) => `${r.stretch.from} ${r.stretch.worst.version}`}
      initialSort="-when"
      columns={[
        {
          id: "when",
          head: "Window",
          cell: (r) => stretchText(r.stretch),
          sort: (r) => Date.parse(r.stretch.from),
        },
        { id: "version", head: "Version", numeric: true, cell: (r) => r.stretch.worst.version },
        {
          id: "state",
          head: "State",
          cell: (r) => <StatusBadge state={r.stretch.worst.state} />,
          sort: (r) => r.stretch.worst.state,
        },
        {
          id: "features",
          head: "Features, the worst first",
          cell: (r) => (r.worst.length === 0 ? (r.stretch.worst.reason ?? "") : told(r.worst)),
        },
      ]}
    />
  );
}

/** The worst features of a window; of hundreds nobody reads all. */
function told(worst: { name: string; cell: HeatCell }[]): string {
  const some = worst.slice(0, FEW).map((f) => `${f.name}: ${tell(f.cell)}`);
  const rest = worst.length - some.length;
  return some.join("; ") + (rest > 0 ? `; and ${rest} more` : "");
}

const ratio = (c: { psi: number | null; limit: number | null }) =>
  c.psi !== null && c.limit ? c.psi / c.limit : 0;
