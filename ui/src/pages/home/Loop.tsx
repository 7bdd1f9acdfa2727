import { ActionIcon } from "@mantine/core";
import { useWidth } from "../../components/width";
import { ArrowDown, ArrowUp, Hand, Infinity as LoopSign, List } from "lucide-react";
import { useState, type ReactNode } from "react";
import { StatusBadge } from "../../components/Badge";
import { Command } from "../../components/Command";
import { DataTable, type Column } from "../../components/DataTable";
import { Section } from "../../components/Page";
import { ThingLink } from "../../components/ThingLink";
import { Time } from "../../components/Time";
import type { Mark, Overview } from "../../data/overview";
import { plural } from "../../format/number";
import unseen from "../../components/unseen.module.css";
import css from "./Loop.module.css";
import { summary, toneOf } from "./loop";
import { placeOf, stations, trackFor, type Track } from "./track";

/** A mark with its model, as the picture and the list show it. */
export interface Marker {
  /** The same while the same thing moves: a case, or the live version of a model. */
  key: string;
  model: string;
  mark: Mark;
}

function markersOf(overview: Overview): Marker[] {
  return overview.models.flatMap((m) =>
    m.marks.map((mark) => ({
      key: `${m.model} ${mark.link.kind === "case" ? "case" : "version"}`,
      model: m.model,
      mark,
    })),
  );
}

/** Where each model stands between data and retirement, as a picture and as a list. */
export function Loop({ overview }: { overview: Overview }) {
  const [asList, setAsList] = useState(false);
  const markers = markersOf(overview);
  const label = asList ? "Show the loop as a picture" : "Show the loop as a list";
  return (
    <Section
      title="The loop"
      about="Where each model stands between data and retirement"
      flush={asList}
      actions={
        <ActionIcon
          data-tip={label}
          size="sm"
          aria-label={label}
          onClick={() => setAsList(!asList)}
        >
          {asList ? <LoopSign size={15} aria-hidden /> : <List size={15} aria-hidden />}
        </ActionIcon>
      }
    >
      {asList ? <MarkTable markers={markers} /> : <Picture overview={overview} markers={markers} />}
    </Section>
  );
}

/** A version in a few words; a model that is only registered may have none. */
function versionOf({ mark }: Marker): string {
  return mark.version ? `v${mark.version}` : mark.link.kind === "case" ? "being made" : "";
}

const columns: Column<Marker>[] = [
  {
    id: "model",
    head: "Model",
    cell: (m) => <ThingLink thing={{ kind: "model", id: m.model }}>{m.model}</ThingLink>,
    sort: (m) => m.model,
  },
  {
    id: "version",
    head: "Version",
    numeric: true,
    cell: versionOf,
    sort: (m) => m.mark.version,
  },
  {
    id: "station",
    head: "Stands at",
    cell: (m) => <StatusBadge state={m.mark.station} tone={toneOf(m.mark)} />,
    sort: (m) => placeOf(m.mark.station),
  },
  {
    id: "text",
    head: "What it does",
    cell: (m) => <ThingLink thing={m.mark.link}>{m.mark.text}</ThingLink>,
  },
  {
    id: "since",
    head: "Since",
    minor: true,
    cell: (m) => <Time at={m.mark.since} clock="stream" />,
    sort: (m) => m.mark.since,
  },
];

function MarkTable({ markers }: { markers: Marker[] }) {
  return (
    <DataTable
      label="Models in the loop"
      columns={columns}
      rows={markers}
      rowKey={(m) => `${m.key} ${m.mark.link.id}`}
    />
  );
}

/** How many marks a station names before it counts them. */
const NAMED = 3;

function Picture({ overview, markers }: { overview: Overview; markers: Marker[] }) {
  const { ref, width } = useWidth();
  const inLoop = markers.filter((m) => placeOf(m.mark.station) >= 0);
  const beside = markers.filter((m) => placeOf(m.mark.station) < 0);
  // The first frame has no width yet; it keeps the height of what comes.
  const rows = (from: number) =>
    Math.max(
      ...stations.slice(from, from + 4).map((s) => {
        const here = inLoop.filter((m) => m.mark.station === s.id).length;
        return here > NAMED ? NAMED + 1 : here;
      }),
    );
  const track = trackFor(width || 1000, { above: rows(0), below: rows(4) });
  const [first = origin, last = origin] = [track.points[0], track.points.at(-1)];
  return (
    <div ref={ref} className={css.box}>
      <div
        className={css.picture}
        data-tall={track.tall || undefined}
        style={{ height: track.height, visibility: width ? "visible" : "hidden" }}
      >
        <Drawing track={track} markers={inLoop} />
        <ol className={css.stations} aria-label="Stations of the loop">
          {stations.map((s, i) => {
            const here = inLoop.filter((m) => m.mark.station === s.id);
            return (
              <Station key={s.id} track={track} i={i} name={s.name} about={s.about} here={here} />
            );
          })}
        </ol>
        {!track.tall && <Turns track={track} />}
        {!track.tall && (
          <div className={css.middle} style={{ top: (first.y + last.y) / 2 }}>
            <Summary overview={overview} />
          </div>
        )}
      </div>
      {track.tall && <Summary overview={overview} />}
      {beside.length > 0 && <Beside markers={beside} more={overview.more === true} />}
    </div>
  );
}

const origin = { x: 0, y: 0, at: 0 };

/** What leads from one row to the other, in the turns of a lying track. */
function Turns({ track }: { track: Track }) {
  const [first = origin, last = origin] = [track.points[0], track.points.at(-1)];
  const radius = (last.y - first.y) / 2;
  const middle = first.y + radius;
  return (
    <>
      <span aria-hidden className={css.turn} style={{ left: first.x - radius + 14, top: middle }}>
        <ArrowUp size={13} /> retrain
      </span>
      <span
        aria-hidden
        className={css.turn}
        data-side="right"
        style={{ left: track.width - (first.x - radius) - 14, top: middle }}
      >
        passed <ArrowDown size={13} />
      </span>
    </>
  );
}

/** The track, the way that a case has gone on it, and a dot for each mark. */
function Drawing({ track, markers }: { track: Track; markers: Marker[] }) {
  const gone = Math.max(
    0,
    ...markers
      .filter((m) => m.mark.link.kind === "case")
      .map((m) => track.points[placeOf(m.mark.station)]?.at ?? 0),
  );
  const occupied = new Set(markers.map((m) => m.mark.station));
  return (
    <>
      <svg width={track.width} height={track.height} className={css.svg} aria-hidden>
        <path d={track.path} className={css.track} />
        <path d={track.path} className={css.flow} />
        {gone > 0 && (
          <path d={track.path} className={css.gone} strokeDasharray={`${gone} ${track.length}`} />
        )}
        {track.points.map((p, i) => (
          <circle
            key={p.at}
            cx={p.x}
            cy={p.y}
            r={occupied.has(stations[i]?.id ?? "data") ? 9 : 6}
            className={css.node}
          />
        ))}
      </svg>
      {markers.map((m) => (
        <Dot key={m.key} track={track} mark={m.mark} />
      ))}
    </>
  );
}

/** A dot goes along the track to its station, always forward: behind the last is the first. */
function Dot({ track, mark }: { track: Track; mark: Mark }) {
  const place = placeOf(mark.station);
  const [way, setWay] = useState({ place, laps: 0 });
  if (way.place !== place) setWay({ place, laps: way.laps + (place < way.place ? 1 : 0) });
  const at = (track.points[place]?.at ?? 0) + way.laps * track.length;
  return (
    <span
      aria-hidden
      className={css.dot}
      data-tone={toneOf(mark)}
      data-moving={mark.link.kind === "case" || undefined}
      style={{ offsetPath: `path("${track.path}")`, offsetDistance: `${at}px` }}
    />
  );
}

interface StationProps {
  track: Track;
  i: number;
  name: string;
  about: string;
  here: Marker[];
}

function Station({ track, i, name, about, here }: StationProps) {
  const p = track.points[i];
  if (!p) return null;
  const side = track.tall ? (i < 4 ? "left" : "right") : i < 4 ? "above" : "below";
  return (
    <li
      className={css.station}
      data-side={side}
      data-here={here.length > 0 || undefined}
      style={{ left: p.x, top: p.y }}
    >
      <span className={css.name}>{name}</span>
      {here.length === 0 && <span className={css.about}>{about}</span>}
      {here.slice(0, NAMED).map((m) => (
        <Chip key={m.key} marker={m} />
      ))}
      {here.length > NAMED && <span className={css.about}>and {here.length - NAMED} more</span>}
    </li>
  );
}

function Chip({ marker }: { marker: Marker }) {
  const { mark } = marker;
  return (
    <span data-tip={mark.text} className={css.chipBox}>
      <ThingLink thing={mark.link} className={css.chip}>
        <span className={css.chipDot} data-tone={toneOf(mark)} aria-hidden />
        <span className={css.model}>{marker.model}</span> {versionOf(marker)}
        {mark.waits && (
          <>
            <Hand size={13} aria-hidden />
            <span className={unseen.always}>, waits for a human</span>
          </>
        )}
        <span className={unseen.always}>: {mark.text}</span>
      </ThingLink>
    </span>
  );
}

/** What the picture comes to, in words. */
function Summary({ overview }: { overview: Overview }) {
  const { head, lines, command } = summary(overview);
  return (
    <div className={css.summary}>
      <p className={css.head}>{head}</p>
      {lines.map((line) => (
        <p key={line} className={css.line}>
          {line}
        </p>
      ))}
      {command && <Command>{command}</Command>}
    </div>
  );
}

const BESIDE = 12;

/** Models that no loop moves. */
function Beside({ markers, more }: { markers: Marker[]; more: boolean }) {
  const chips: ReactNode[] = markers.slice(0, BESIDE).map((m) => (
    <li key={m.key}>
      <Chip marker={m} />
    </li>
  ));
  const rest = markers.length - BESIDE;
  return (
    <div className={css.beside}>
      <span className={css.about}>Beside the loop: {plural(markers.length, "model")}</span>
      <ul className={css.chips}>
        {chips}
        {(rest > 0 || more) && (
          <li className={css.about}>
            {rest > 0 ? `and ${rest}${more ? " or more" : ""}` : "and more"}
          </li>
        )}
      </ul>
    </div>
  );
}
