import { Dialog } from "../components/Dialog";
import { MOD } from "./Commands";
import css from "./Commands.module.css";
import { rooms } from "./nav";

const shortcuts: [what: string, ...keys: string[]][] = [
  ["Search for anything, and commands", `${MOD} K`, "/"],
  ["These shortcuts", "?"],
  ["What was said last, such as Undo", "T"],
  ["In a list: up and down", "↑", "↓"],
  ["Open what is chosen", "Enter"],
  ["Leave a dialog", "Esc"],
  ["On a chart: point, zoom, show all", "←", "→", "+", "−", "0"],
  ["Next and previous control", "Tab", "Shift Tab"],
  ...rooms.map((room): [string, string] => [room.label, `G ${room.letter}`]),
];

/** The keys that work everywhere. */
export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog opened title="Keyboard shortcuts" onClose={onClose}>
      <dl className={css.keys}>
        {shortcuts.map(([what, ...keys]) => (
          <div key={what} className={css.keyRow}>
            <dt>{what}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key} className={css.key}>
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
