import { UnstyledButton } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useParams, useRouter } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import css from "./Commands.module.css";
import { rooms } from "./nav";

const load = () => import("./Palette").then((m) => ({ default: m.Palette }));
const Palette = lazy(load);
const Shortcuts = lazy(() => import("./Shortcuts").then((m) => ({ default: m.Shortcuts })));

/** How long G waits for the letter of a room, in wall time. */
const GOES_MS = 1500;

/** The way to everything by name: a button, its keys, and what they open. */
export function Commands() {
  const [opened, setOpened] = useState<"palette" | "shortcuts">();
  const palette = () => setOpened("palette");
  const close = () => setOpened(undefined);
  // Who opens it types on at once, so its code is there before, and after the page's own.
  useEffect(() => {
    const timer = setTimeout(() => void load(), 1500);
    return () => clearTimeout(timer);
  }, []);
  const router = useRouter();
  const { project } = useParams({ strict: false });
  const [going, setGoing] = useState(false); // G was pressed
  useEffect(() => {
    const timer = setTimeout(() => setGoing(false), GOES_MS);
    return () => clearTimeout(timer);
  }, [going]);
  const go = rooms.map((room): [string, () => void] => [
    room.letter,
    () => {
      setGoing(false);
      if (project !== undefined) void router.navigate(room.link(project));
    },
  ]);
  useHotkeys([["mod+K", palette]], [], true);
  useHotkeys([
    ...(going ? go : []),
    ["g", () => setGoing(true)],
    ["/", palette],
    ["shift+?", () => setOpened("shortcuts")],
    ["?", () => setOpened("shortcuts")],
  ]);
  return (
    <>
      <UnstyledButton className={css.open ?? ""} onClick={palette}>
        <Search size={15} aria-hidden />
        <span className={css.words}>Search</span>
        <span className={css.hidden}> and commands</span>
        <kbd className={css.key} aria-hidden>
          {MOD} K
        </kbd>
      </UnstyledButton>
      <Suspense>
        {opened === "palette" && (
          <Palette onClose={close} onShortcuts={() => setOpened("shortcuts")} />
        )}
        {opened === "shortcuts" && <Shortcuts onClose={close} />}
      </Suspense>
    </>
  );
}

/** What the key beside the space bar is called where the reader sits. */
export const MOD = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
