import { SegmentedControl } from "@mantine/core";
import type { Clock } from "../../data/endpoints";
import { ranges, type Last } from "./search";

interface RangePickerProps {
  last: Last;
  onLast: (last: Last) => void;
  /** The clock that is shown; without it there is no choice. */
  clock?: Clock | undefined;
  onClock?: (clock: Clock) => void;
}

/** How far back figures go, and by which clock. */
export function RangePicker({ last, onLast, clock, onClock }: RangePickerProps) {
  return (
    <>
      {clock && onClock && (
        <SegmentedControl
          aria-label="Clock"
          value={clock}
          onChange={(v) => onClock(v === "wall" ? "wall" : "event")}
          data={[
            { value: "event", label: "Event time" },
            { value: "wall", label: "Wall time" },
          ]}
        />
      )}
      <SegmentedControl
        aria-label="How far back"
        value={last}
        onChange={(v) => {
          const found = ranges.find((r) => r.last === v);
          if (found) onLast(found.last);
        }}
        data={ranges.map((r) => ({ value: r.last, label: r.label }))}
      />
    </>
  );
}
