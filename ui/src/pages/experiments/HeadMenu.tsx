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
import { MenuItem, MenuList } from "../../components/Menu";
import type { GridColumn } from "./GridRows";
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
    <MenuList at={at} onClose={onClose} label={`Column ${column.head}`}>
      {order && (
        <>
          <MenuItem
            left={<ArrowUp size={14} aria-hidden />}
            onClick={() => onChange({ sort: order })}
          >
            Sort up
          </MenuItem>
          <MenuItem
            left={<ArrowDown size={14} aria-hidden />}
            onClick={() => onChange({ sort: `${order} DESC` })}
          >
            Sort down
          </MenuItem>
          {sort?.key === order && (
            <MenuItem
              left={<X size={14} aria-hidden />}
              onClick={() => onChange({ sort: undefined })}
            >
              The newest first again
            </MenuItem>
          )}
          <hr />
        </>
      )}
      {kind === "metric" && (
        <>
          <p>Show</p>
          {shows.map((s) => (
            <MenuItem
              key={s}
              checked={(view.show?.[id] ?? "last") === s}
              onClick={() => {
                const rest = Object.fromEntries(
                  Object.entries(view.show ?? {}).filter(([k]) => k !== id),
                );
                onChange({ show: s === "last" ? rest : { ...rest, [id]: s } });
              }}
            >
              {words[s]}
            </MenuItem>
          ))}
          <hr />
        </>
      )}
      {groups && (
        <MenuItem
          left={<Group size={14} aria-hidden />}
          onClick={() =>
            onChange({ by: by.includes(id) ? by.filter((b) => b !== id) : [...by, id].slice(-3) })
          }
        >
          {by.includes(id) ? "No longer group by it" : `Group by ${keyOf(id)}`}
        </MenuItem>
      )}
      {!fixed && (
        <MenuItem
          left={column.pinned ? <PinOff size={14} aria-hidden /> : <Pin size={14} aria-hidden />}
          onClick={() =>
            onChange({
              pin: column.pinned
                ? (view.pin ?? []).filter((p) => p !== id)
                : [...(view.pin ?? []), id],
            })
          }
        >
          {column.pinned ? "Unpin" : "Pin at the left"}
        </MenuItem>
      )}
      {!fixed && !column.pinned && !wildcard && (
        <>
          <MenuItem
            left={<ArrowLeft size={14} aria-hidden />}
            disabled={place <= 0}
            onClick={() => move(-1)}
          >
            Move left
          </MenuItem>
          <MenuItem
            left={<ArrowRight size={14} aria-hidden />}
            disabled={place === shown.length - 1}
            onClick={() => move(1)}
          >
            Move right
          </MenuItem>
        </>
      )}
      <MenuItem stays left={<MoveHorizontal size={14} aria-hidden />} onClick={() => resize(40)}>
        Wider
      </MenuItem>
      <MenuItem stays left={<MoveHorizontal size={14} aria-hidden />} onClick={() => resize(-40)}>
        Narrower
      </MenuItem>
      {!fixed && !wildcard && (
        <MenuItem
          left={<EyeOff size={14} aria-hidden />}
          onClick={() => onChange({ cols: shown.filter((c) => c !== id) })}
        >
          Hide
        </MenuItem>
      )}
    </MenuList>
  );
}
