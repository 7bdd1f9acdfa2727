import { useMantineColorScheme } from "@mantine/core";
import { failureOf } from "../components/State";
import { Modal } from "../components/Dialog";
import { toast } from "../components/toast";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useParams, useRouter } from "@tanstack/react-router";
import {
  Activity,
  Box,
  Database,
  FlaskConical,
  FolderGit2,
  Keyboard,
  Link2,
  Monitor,
  Moon,
  RefreshCw,
  Rocket,
  Search,
  Sun,
  Waypoints,
  Workflow,
  type LucideIcon,
} from "lucide-react";
import { useId, useState, type KeyboardEvent } from "react";
import { pageOf } from "../data/links";
import { findQuery, type Hit } from "../data/overview";
import { projectsQuery } from "../data/projects";
import css from "./Commands.module.css";
import { rooms } from "./nav";

/** Something that can be chosen. */
interface Entry {
  id: string;
  group: string;
  title: string;
  detail?: string | undefined;
  icon: LucideIcon;
  run: () => void;
}

interface PaletteProps {
  onClose: () => void;
  onShortcuts: () => void;
}

/** Goes to anything by its name, and does what needs no page of its own. */
export function Palette({ onClose, onShortcuts }: PaletteProps) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const { entries, searching, error } = useEntries(text, onShortcuts);
  const list = useId();
  const current = Math.min(at, entries.length - 1);
  const choose = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.run();
  };
  const onKey = (e: KeyboardEvent) => {
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && entries.length > 0) {
      e.preventDefault();
      const next = (current + step + entries.length) % entries.length;
      setAt(next);
      document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (e.key === "Enter") {
      e.preventDefault();
      choose(entries[current]);
    }
  };
  return (
    <Modal className={css.sheet} aria-label="Search and commands" onLeave={onClose}>
      <div className={css.ask}>
        <Search size={16} aria-hidden />
        <input
          className={css.input}
          role="combobox"
          aria-label="Search and commands"
          aria-expanded
          aria-controls={list}
          aria-activedescendant={current >= 0 ? `${list}-${current}` : undefined}
          placeholder="A model, run, dataset, endpoint, page or command"
          value={text}
          onChange={(e) => {
            setText(e.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={onKey}
        />
        <kbd className={css.key}>Esc</kbd>
      </div>
      <div className={css.entries} role="listbox" id={list} aria-label="What was found">
        {groups(entries).map(([group, members]) => (
          <div key={group} role="group" aria-label={group}>
            <div className={css.group} aria-hidden>
              {group}
            </div>
            {members.map(([entry, i]) => (
              <div
                key={entry.id}
                id={`${list}-${i}`}
                role="option"
                aria-selected={i === current}
                className={css.entry}
                onPointerMove={() => setAt(i)}
                onClick={() => choose(entry)}
              >
                <entry.icon size={15} aria-hidden />
                <span className={css.entryTitle}>{entry.title}</span>
                {entry.detail && <span className={css.detail}>{entry.detail}</span>}
              </div>
            ))}
          </div>
        ))}
      </div>
      <p className={css.state} role="status">
        {error
          ? `Names cannot be searched: ${error.message}`
          : entries.length === 0 && (searching ? "Searching" : `Nothing is called ${text.trim()}`)}
      </p>
    </Modal>
  );
}

/** The entries group by group, each with its place in the whole. */
function groups(entries: readonly Entry[]): [string, [Entry, number][]][] {
  const out = new Map<string, [Entry, number][]>();
  entries.forEach((entry, i) => {
    const members = out.get(entry.group) ?? [];
    members.push([entry, i]);
    out.set(entry.group, members);
  });
  return [...out];
}

function useEntries(text: string, onShortcuts: () => void) {
  const { project } = useParams({ strict: false });
  const asked = text.trim();
  const [settled] = useDebouncedValue(asked, 120);
  const found = useQuery({
    ...findQuery(project ?? "", settled),
    enabled: project !== undefined && settled !== "",
    placeholderData: keepPreviousData,
  });
  const pages = usePages(project);
  const actions = useActions(project, onShortcuts);
  // While an answer is on its way, of the one before stays what has the words too: Enter
  // must not lead to what is about to go.
  const stays = (hit: Hit) =>
    (settled === asked && !found.isPlaceholderData) || matches(hit.title, asked);
  const hits = useHits(project, asked === "" ? [] : (found.data ?? []).filter(stays));
  const named = (all: Entry[]) => all.filter((e) => matches(`${e.title} ${e.group}`, asked));
  return {
    entries: [...named(pages), ...hits, ...named(actions)],
    searching: asked !== "" && (found.isFetching || settled !== asked),
    error: asked === "" ? null : failureOf(found),
  };
}

/** Whether each word of what was asked is in a title. */
function matches(title: string, asked: string): boolean {
  const low = title.toLowerCase();
  return asked
    .toLowerCase()
    .split(/\s+/)
    .every((word) => low.includes(word));
}

function usePages(project: string | undefined): Entry[] {
  const router = useRouter();
  if (project === undefined) return [];
  return rooms.map((room) => ({
    id: `page ${room.label}`,
    group: "Pages",
    title: room.label,
    detail: `G ${room.letter}`,
    icon: room.icon,
    run: () => void router.navigate(room.link(project)),
  }));
}

const kinds: Record<string, [group: string, icon: LucideIcon]> = {
  model: ["Models", Box],
  endpoint: ["Endpoints", Waypoints],
  experiment: ["Experiments", FlaskConical],
  dataset: ["Datasets", Database],
  run: ["Runs", FlaskConical],
  pipeline_run: ["Pipeline runs", Workflow],
  case: ["Cases", RefreshCw],
  incident: ["Incidents", Activity],
  rollout: ["Rollouts", Rocket],
};

function useHits(project: string | undefined, hits: readonly Hit[]): Entry[] {
  const router = useRouter();
  return hits.flatMap((hit) => {
    const to = project === undefined ? undefined : pageOf(project, hit);
    const [group, icon] = kinds[hit.kind] ?? ["Other", Box];
    if (to === undefined) return [];
    return {
      id: `${hit.kind} ${hit.id}`,
      group,
      title: hit.title,
      detail: hit.detail,
      icon,
      run: () => void router.navigate({ to }),
    };
  });
}

function useActions(project: string | undefined, onShortcuts: () => void): Entry[] {
  const router = useRouter();
  const { setColorScheme } = useMantineColorScheme();
  const { data: projects = [] } = useQuery(projectsQuery);
  const action = (title: string, icon: LucideIcon, run: () => void): Entry => ({
    id: `action ${title}`,
    group: "Commands",
    title,
    icon,
    run,
  });
  return [
    action("Copy the link to this page", Link2, () => void copyLink()),
    action("Use the light theme", Sun, () => setColorScheme("light")),
    action("Use the dark theme", Moon, () => setColorScheme("dark")),
    action("Use the system's theme", Monitor, () => setColorScheme("auto")),
    action("Show the keyboard shortcuts", Keyboard, onShortcuts),
    ...projects
      .filter((name) => name !== project)
      .map((name) =>
        action(`Go to project ${name}`, FolderGit2, () => {
          void router.navigate({ to: "/p/$project", params: { project: name } });
        }),
      ),
  ];
}

async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(window.location.href);
    toast({ title: "The link is copied" });
  } catch {
    toast({ title: "This browser lets no page copy over plain HTTP", tone: "bad" });
  }
}
