import { Button, Checkbox, SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Columns3 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Popover } from "../../components/Menu";
import { Failed } from "../../components/State";
import { runColumns } from "../../data/runtable";
import { count } from "../../format/number";
import css from "./ColumnPicker.module.css";
import { attributes } from "./view";

const kinds = [
  { value: "metric", label: "Metrics", all: "metrics.*" },
  { value: "parameter", label: "Params", all: "params.*" },
  { value: "tag", label: "Tags", all: "tags.*" },
  { value: "attribute", label: "Run", all: undefined },
] as const;
type Tab = (typeof kinds)[number]["value"];

interface ColumnPickerProps {
  project: string;
  experiments: string[];
  /** The columns that are shown, by name, before "metrics.*" is spelt out. */
  chosen: string[];
  onChange: (columns: string[]) => void;
  onReset: () => void;
}

/** Chooses columns among all keys that the runs have, thousands of them too. */
export function ColumnPicker(props: ColumnPickerProps) {
  return (
    <Popover
      label="Columns"
      align="end"
      className={css.panel}
      target={
        <Button variant="default" size="xs" leftSection={<Columns3 size={14} aria-hidden />}>
          Columns
        </Button>
      }
    >
      <Picker {...props} />
    </Popover>
  );
}

const ROW = 30;

function Picker({ project, experiments, chosen, onChange, onReset }: ColumnPickerProps) {
  const [tab, setTab] = useState<Tab>("metric");
  const [typed, setTyped] = useState("");
  const [contains] = useDebouncedValue(typed.trim(), 100);
  const list = useRef<HTMLDivElement>(null);
  const found = useInfiniteQuery({
    ...runColumns(project, experiments, tab === "attribute" ? undefined : tab, contains, 200),
    enabled: tab !== "attribute",
  });
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = found;
  const kind = kinds.find((k) => k.value === tab);
  const items =
    tab === "attribute"
      ? Object.entries(attributes)
          .filter(([, head]) => head.toLowerCase().includes(contains.toLowerCase()))
          .map(([name, key]) => ({ name, key }))
      : (found.data?.pages.flatMap((p) => p.items) ?? []);
  const total = tab === "attribute" ? items.length : (found.data?.pages[0]?.total ?? 0);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW,
    overscan: 6,
  });
  const virtual = rows.getVirtualItems();
  const last = virtual.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= items.length - 20 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [last, items.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  const all = kind?.all;
  const hasAll = all !== undefined && chosen.includes(all);
  const flip = (name: string) =>
    onChange(chosen.includes(name) ? chosen.filter((c) => c !== name) : [...chosen, name]);
  return (
    <>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-label="Kind of columns"
        data={kinds.map(({ value, label }) => ({ value, label }))}
        value={tab}
        onChange={(v) => setTab(kinds.find((k) => k.value === v)?.value ?? "metric")}
      />
      <TextInput
        size="xs"
        mt={8}
        data-autofocus
        aria-label="Search columns"
        placeholder="Search: words of the name"
        value={typed}
        onChange={(e) => setTyped(e.currentTarget.value)}
      />
      <div className={css.sum}>
        <span role="status">{contains ? `${count(total)} found` : `${count(total)} in all`}</span>
        {all && <Checkbox size="xs" label="show all" checked={hasAll} onChange={() => flip(all)} />}
      </div>
      {tab !== "attribute" && <Failed query={found} />}
      <div ref={list} className={css.list} role="group" aria-label="Found columns" tabIndex={-1}>
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {virtual.map((v) => {
            const item = items[v.index];
            return (
              item && (
                <div
                  key={item.name}
                  className={css.item}
                  style={{ transform: `translateY(${v.start}px)`, height: ROW }}
                >
                  <Checkbox
                    size="xs"
                    label={item.key}
                    title={item.key}
                    checked={hasAll || chosen.includes(item.name)}
                    disabled={hasAll}
                    onChange={() => flip(item.name)}
                  />
                </div>
              )
            );
          })}
        </div>
        {items.length === 0 && !found.isFetching && (
          <p className={css.none}>
            {contains ? "No column has these words." : "The runs have none yet."}
          </p>
        )}
      </div>
      <Button variant="subtle" size="compact-xs" mt={6} onClick={onReset}>
        Back to the usual columns
      </Button>
    </>
  );
}
