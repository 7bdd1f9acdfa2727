import { MOD } from "./Commands";
import css from "./Commands.module.css";
import { Sheet } from "./Sheet";

const shortcuts: [what: string, ...keys: string[]][] = [
  ["Search for anything, and commands", `${MOD} K`, "/"],
  ["These shortcuts", "?"],
  ["In a list: up and down", "↑", "↓"],
  ["Open what is chosen", "Enter"],
  ["Leave a dialog", "Esc"],
  ["Next and previous control", "Tab", "Shift Tab"],
];

/** The keys that work everywhere. */
export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Sheet label="Keyboard shortcuts" onClose={onClose}>
      <div className={css.help}>
        <h2 className={css.helpTitle}>Keyboard shortcuts</h2>
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
        <button type="button" className={css.close} onClick={onClose}>
          Close
        </button>
      </div>
    </Sheet>
  );
}
