import { UnstyledButton } from "@mantine/core";
import { useParams, useRouter } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useEffectEvent, useState } from "react";
import { goToToasts } from "../components/toast";
import unseen from "../components/unseen.module.css";
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
  const keys = useEffectEvent((e: KeyboardEvent) => {
    if (e.altKey) return;
    const asked = document.querySelector("dialog[open]") !== null; // a dialog comes first
    const key = e.key.toLowerCase();
    if (e.ctrlKey || e.metaKey) {
      if (key !== "k" || e.shiftKey) return;
      if (opened === "palette") close();
      else if (!asked) palette();
      return e.preventDefault();
    }
    const typing = e.target instanceof Element && e.target.closest("input, textarea, select");
    if (e.defaultPrevented || typing) return;
    const room =
      going && project !== undefined && rooms.find((r) => r.letter.toLowerCase() === key);
    setGoing(key === "g" && !asked);
    if (key === "t") goToToasts();
    else if (asked) return;
    else if (room) void router.navigate(room.link(project));
    else if (key === "/") palette();
    else if (key === "?") setOpened("shortcuts");
    else return;
    e.preventDefault();
  });
  useEffect(() => {
    document.addEventListener("keydown", keys);
    return () => document.removeEventListener("keydown", keys);
  }, []);
  return (
    <>
      <UnstyledButton className={css.open ?? ""} onClick={palette}>
        <Search size={15} aria-hidden />
        <span className={unseen.narrow}>Search</span>
        <span className={unseen.always}> and commands</span>
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
