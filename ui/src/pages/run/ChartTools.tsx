import { Button, SegmentedControl, Switch, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { Search, ZoomOut } from "lucide-react";
import { useId, useState } from "react";
import css from "./ChartTools.module.css";
import { viewOf, type ChartSearch } from "./view";

interface ChartToolsProps {
  search: ChartSearch;
  onChange: (change: ChartSearch) => void;
}

/** How the charts below are looked at. */
export function ChartTools({ search, onChange }: ChartToolsProps) {
  const view = viewOf(search);
  const [find, setFind] = useState(view.find);
  const sendFind = useDebouncedCallback(
    (text: string) => onChange({ find: text === "" ? undefined : text }),
    150,
  );
  const [weight, setWeight] = useState(search.smooth ?? 0);
  const sendWeight = useDebouncedCallback(
    (v: number) => onChange({ smooth: v === 0 ? undefined : v }),
    60,
  );
  const label = useId();
  return (
    <div className={css.tools} role="group" aria-label="How the charts are drawn">
      <TextInput
        aria-label="Find metrics"
        placeholder="Find metrics"
        leftSection={<Search size={14} aria-hidden />}
        value={find}
        onChange={(e) => {
          setFind(e.currentTarget.value);
          sendFind(e.currentTarget.value);
        }}
        className={css.find ?? ""}
      />
      <SegmentedControl
        aria-label="Horizontal axis"
        value={view.axis}
        onChange={(axis) =>
          onChange({
            by: axis === "time" || axis === "relative" ? axis : undefined,
            zoom: undefined,
          })
        }
        data={[
          { value: "step", label: "Step" },
          { value: "time", label: "Time" },
          { value: "relative", label: "Relative" },
        ]}
      />
      <div className={css.smooth}>
        <label htmlFor={label}>Smoothing</label>
        <input
          id={label}
          type="range"
          min={0}
          max={99}
          value={weight}
          aria-valuetext={`${weight} %`}
          onChange={(e) => {
            setWeight(e.currentTarget.valueAsNumber);
            sendWeight(e.currentTarget.valueAsNumber);
          }}
          className={css.slider}
        />
        <output htmlFor={label} className={css.weight}>
          {weight} %
        </output>
      </div>
      <Switch
        label="Log x"
        checked={view.logX}
        onChange={(e) => onChange({ logx: e.currentTarget.checked || undefined })}
      />
      <Switch
        label="Log y"
        checked={view.logY}
        onChange={(e) => onChange({ logy: e.currentTarget.checked || undefined })}
      />
      <Switch
        label="Without outliers"
        checked={view.withoutOutliers}
        onChange={(e) => onChange({ outliers: e.currentTarget.checked ? "out" : undefined })}
      />
      {view.zoom && (
        <Button
          variant="default"
          leftSection={<ZoomOut size={14} aria-hidden />}
          onClick={() => onChange({ zoom: undefined })}
        >
          Show all
        </Button>
      )}
    </div>
  );
}
