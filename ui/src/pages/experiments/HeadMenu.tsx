import { Menu, UnstyledButton } from "@mantine/core";
import {
  ArrowDown,
  ArrowLeft,
  ArrowRight,
  ArrowUp,
  EyeOff,
  Group,
  MoveHorizontal,
  Pin,
  PinOff,
  X,
} from "lucide-react";
import { useEffect, useRef } from "react";
import type { GridColumn } from "./Grid";
import {
  keyOf,
  kindOf,
  MAX_WIDTH,
  MIN_WIDTH,
  orderKey,
  shows,
  type changed,
  type RunsView,
} from "./view";

interface HeadMenuProps {
  column: GridColumn;
  /** Where its head is. */
  at: DOMRect;
  view: RunsView;
  /** All columns in their order. */
  columns: string[];
  sort: { key: string; desc: boolean } | undefined;
  onChange: (change: Parameters<typeof changed>[1]) => void;
  onClose: () => void;
}

const words = {
  last: "Last value",
  best: "Best value",
  min: "Least value",
  max: "Highest value",
  curve: "Curve and last value",
};

/** What can be done with a column; the keys come back to the table after it. */
export function HeadMenu({ column, at, view, columns, sort, onChange, onClose }: HeadMenuProps) {
  const back = useRef<Element | null>(document.activeElement);
  useEffect(() => {
    const grid = back.current;
    return () => {
      if (grid instanceof HTMLElement) grid.focus();
    };
  }, []);
  const { id } = column;
  const order = orderKey(id);
  const kind = kindOf(id);
  const fixed = id === "name";
  const shown = columns.filter((c) => c !== "select" && c !== "name");
  const place = shown.indexOf(id);
  const move = (by: number) => {
    const next = shown.filter((c) => c !== id);
    next.splice(place + by, 0, id);
    onChange({ cols: next });
  };
  const resize = (by: number) =>
    onChange({
      w: { ...view.w, [id]: Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, column.width + by)) },
    });
  const by = view.by ?? [];
  const groups = kind === "parameter" || kind === "tag" || id === "status" || id === "user_id";
  const wildcard = view.cols?.some((c) => c.endsWith(".*"));
  return (
    <Menu
      opened
      onClose={onClose}
      position="bottom-start"
      shadow="md"
      width={220}
      offset={2}
      withinPortal={false}
      floatingStrategy="fixed"
    >
      <Menu.Target>
        <UnstyledButton
          tabIndex={-1}
          aria-label={`Menu of ${column.head}`}
          style={{
            position: "fixed",
            left: at.left,
            top: at.top,
            width: at.width,
            height: at.height,
            pointerEvents: "none",
          }}
        />
      </Menu.Target>
      <Menu.Dropdown aria-label={`Column ${column.head}`}>
        {order && (
          <>
            <Menu.Item
              leftSection={<ArrowUp size={14} aria-hidden />}
              onClick={() => onChange({ sort: order })}
            >
              Sort up
            </Menu.Item>
            <Menu.Item
              leftSection={<ArrowDown size={14} aria-hidden />}
              onClick={() => onChange({ sort: `${order} DESC` })}
            >
              Sort down
            </Menu.Item>
            {sort?.key === order && (
              <Menu.Item
                leftSection={<X size={14} aria-hidden />}
                onClick={() => onChange({ sort: undefined })}
              >
                The newest first again
              </Menu.Item>
            )}
            <Menu.Divider />
          </>
        )}
        {kind === "metric" && (
          <>
            <Menu.Label>Show</Menu.Label>
            {shows.map((s) => (
              <Menu.Item
                key={s}
                onClick={() => {
                  const rest = Object.fromEntries(
                    Object.entries(view.show ?? {}).filter(([k]) => k !== id),
                  );
                  onChange({ show: s === "last" ? rest : { ...rest, [id]: s } });
                }}
              >
                {(view.show?.[id] ?? "last") === s ? "✓ " : ""}
                {words[s]}
              </Menu.Item>
            ))}
            <Menu.Divider />
          </>
        )}
        {groups && (
          <Menu.Item
            leftSection={<Group size={14} aria-hidden />}
            onClick={() =>
              onChange({ by: by.includes(id) ? by.filter((b) => b !== id) : [...by, id].slice(-3) })
            }
          >
            {by.includes(id) ? "No longer group by it" : `Group by ${keyOf(id)}`}
          </Menu.Item>
        )}
        {!fixed && (
          <Menu.Item
            leftSection={
              column.pinned ? <PinOff size={14} aria-hidden /> : <Pin size={14} aria-hidden />
            }
            onClick={() =>
              onChange({
                pin: column.pinned
                  ? (view.pin ?? []).filter((p) => p !== id)
                  : [...(view.pin ?? []), id],
              })
            }
          >
            {column.pinned ? "Unpin" : "Pin at the left"}
          </Menu.Item>
        )}
        {!fixed && !column.pinned && !wildcard && (
          <>
            <Menu.Item
              leftSection={<ArrowLeft size={14} aria-hidden />}
              disabled={place <= 0}
              onClick={() => move(-1)}
            >
              Move left
            </Menu.Item>
            <Menu.Item
              leftSection={<ArrowRight size={14} aria-hidden />}
              disabled={place === shown.length - 1}
              onClick={() => move(1)}
            >
              Move right
            </Menu.Item>
          </>
        )}
        <Menu.Item
          closeMenuOnClick={false}
          leftSection={<MoveHorizontal size={14} aria-hidden />}
          onClick={() => resize(40)}
        >
          Wider
        </Menu.Item>
        <Menu.Item
          closeMenuOnClick={false}
          leftSection={<MoveHorizontal size={14} aria-hidden />}
          onClick={() => resize(-40)}
        >
          Narrower
        </Menu.Item>
        {!fixed && !wildcard && (
          <Menu.Item
            leftSection={<EyeOff size={14} aria-hidden />}
            onClick={() => onChange({ cols: shown.filter((c) => c !== id) })}
          >
            Hide
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
