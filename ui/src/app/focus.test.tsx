import { Button, MantineProvider } from "@mantine/core";
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { beforeAll, expect, it } from "vitest";
import { keepFocus } from "./focus";

beforeAll(keepFocus);

function List({ children }: { children?: string }) {
  const [rows, setRows] = useState(["a", "b", "c"]);
  return (
    <main id="main">
      <h1 tabIndex={-1}>Things</h1>
      <table>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <td>
                <a href="/">{row}</a>
              </td>
              <td>
                <button onClick={() => setRows(rows.filter((r) => r !== row))}>
                  {`Restore ${row}`}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p data-keys-to="#last">
        {rows.length > 1 && <button onClick={() => setRows([])}>All</button>}
      </p>
      <button id="last">{children ?? "Elsewhere"}</button>
    </main>
  );
}

const press = async (name: string) => {
  act(() => screen.getByRole("button", { name }).focus());
  await userEvent.keyboard("{Enter}");
};
const focused = () => expect.poll(() => document.activeElement?.textContent);

it("goes on at the row behind one that has gone, or before it", async () => {
  render(<List />);
  await press("Restore a");
  await focused().toBe("Restore b");
  await press("Restore c");
  await focused().toBe("Restore b");
  await press("Restore b");
  await focused().toBe("Elsewhere");
});

it("goes on where a box says that the keys go", async () => {
  render(<List>Here</List>);
  await press("All");
  await focused().toBe("Here");
});

function Forms() {
  const [busy, setBusy] = useState(false);
  const [last, setLast] = useState(false);
  const [done, setDone] = useState(false);
  return (
    <MantineProvider env="test">
      <Button loading={busy} onClick={() => setBusy(true)}>
        Save
      </Button>
      <button disabled={last} onClick={() => setLast(true)}>
        Older
      </button>
      {done ? (
        <section>
          <a href="/">Again</a>
          <button data-autofocus>Close</button>
        </section>
      ) : (
        <form onSubmit={(e) => e.preventDefault()}>
          <button onClick={() => setDone(true)}>Send</button>
        </form>
      )}
    </MantineProvider>
  );
}

it("leaves what is disabled, but not what is busy", async () => {
  render(<Forms />);
  await press("Save");
  expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
  await new Promise(requestAnimationFrame);
  await focused().toBe("Save");
  await press("Older");
  await focused().toBe("Send");
});

it("goes on when what was busy goes", async () => {
  const view = render(
    <MantineProvider env="test">
      <Button loading>Compute</Button>
      <a href="/">Next</a>
    </MantineProvider>,
  );
  const busy = screen.getByRole("button");
  busy.removeAttribute("disabled");
  act(() => busy.focus());
  view.rerender(
    <MantineProvider env="test">
      <p>Computed</p>
      <a href="/">Next</a>
    </MantineProvider>,
  );
  await focused().toBe("Next");
});

it("goes on with what comes in place of a form", async () => {
  render(<Forms />);
  await press("Send");
  await focused().toBe("Close");
});
