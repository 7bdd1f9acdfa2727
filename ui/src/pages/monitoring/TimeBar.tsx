import { ActionIcon, SegmentedControl } from "@mantine/core";
import { ChevronLeft, ChevronRight, ZoomIn, ZoomOut, type LucideIcon } from "lucide-react";
import { period } from "../../charts/timeframe";
import type { Zoom } from "../../charts/Board";
import { reaches, type EndpointSearch, type Reach } from "./routes";
import type { Change } from "./Room";
import css from "./Room.module.css";

const names: Record<Reach, string> = { "7d": "7 d", "30d": "30 d", "90d": "90 d", all: "All" };

interface TimeBarProps {
  /** The stretch of time in sight; none while nothing is. */
  from: number;
  to: number;
  /** Where the stream stands, behind which there is nothing. */
  now: number;
  /** Whether there are windows before all of those in sight. */
  more: boolean;
  search: EndpointSearch;
  change: Change<EndpointSearch>;
  zoom: Zoom;
}

/** Which stretch of event time is looked at: back from now, or one that was chosen. */
export function TimeBar({ from, to, now, more, search, change, zoom }: TimeBarProps) {
  const chosen = search.from !== undefined || search.to !== undefined;
  const span = to - from;
  const middle = (from + to) / 2;
  const button = (label: string, Sign: LucideIcon, off: boolean, go: () => void) => (
    <ActionIcon aria-label={label} data-tip={label} disabled={off} onClick={go}>
      <Sign size={16} aria-hidden />
    </ActionIcon>
  );
  return (
    <div className={css.toolbar} role="group" aria-label="Event time in sight">
      <SegmentedControl
        aria-label="How far back to look, in event time"
        data={reaches.map((r) => ({ value: r, label: names[r] }))}
        value={chosen ? "" : (search.reach ?? "all")}
        onChange={(value) =>
          change({
            from: undefined,
            to: undefined,
            reach: reaches.find((r) => r === value && r !== "all"),
          })
        }
      />
      <span className={css.buttons}>
        {button("Earlier", ChevronLeft, !chosen && search.reach === undefined && !more, () =>
          zoom(from - span / 2, to - span / 2),
        )}
        {button("Later", ChevronRight, to >= now, () => zoom(from + span / 2, to + span / 2))}
        {button("Zoom in", ZoomIn, span <= 0, () => zoom(middle - span / 4, middle + span / 4))}
        {button("Zoom out", ZoomOut, !chosen && search.reach === undefined, () =>
          zoom(from - span / 2, to + span / 2),
        )}
      </span>
      <span className={css.dim} aria-live="polite">
        {span > 0 && `${period(from, to)}, event time`}
      </span>
    </div>
  );
}
