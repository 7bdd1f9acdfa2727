import { ActionIcon, Button, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import {
  Check,
  ChevronsUpDown,
  LogOut,
  Menu as MenuIcon,
  Monitor,
  Moon,
  Sun,
  User,
  X,
} from "lucide-react";
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { Command } from "../components/Command";
import { Lines, Loaded } from "../components/Loaded";
import { Menu, MenuItem, menuItem, Popover } from "../components/Menu";
import { Time } from "../components/Time";
import { Toasts } from "../components/Toasts";
import { Problem } from "../data/client";
import { useLive } from "../data/live";
import { permissionsQuery } from "../data/may";
import { meQuery } from "../data/me";
import { projectsQuery } from "../data/projects";
import { Commands } from "./Commands";
import { NoProject } from "./Failed";
import { goToPage } from "./focus";
import icon from "./icon.svg";
import { LiveMark } from "./LiveMark";
import { rooms } from "./nav";
import css from "./Shell.module.css";

/** The frame of all pages: the rooms at the left, the project and the reader above. */
export function Shell({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const { project } = useParams({ strict: false });
  const burger = useRef<HTMLButtonElement>(null);
  const nav = useRef<HTMLElement>(null);
  // Where there is little room, the keys go with the rooms when they open and close.
  useEffect(() => {
    if (opened) nav.current?.querySelector("a")?.focus();
    else if (nav.current?.contains(document.activeElement)) goToPage();
  }, [opened]);
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key !== "Escape" || !opened) return;
    burger.current?.focus();
    close();
  };
  return (
    <div className={css.shell} data-open={opened || undefined}>
      <a href="#main" className={css.skip}>
        Skip to the content
      </a>
      <header className={css.bar}>
        <ActionIcon
          ref={burger}
          className={css.burger ?? ""}
          onClick={toggle}
          onKeyDown={onKeyDown}
          aria-expanded={opened}
          aria-controls="rooms"
          aria-label={opened ? "Close the navigation" : "Open the navigation"}
        >
          {opened ? <X size={18} aria-hidden /> : <MenuIcon size={18} aria-hidden />}
        </ActionIcon>
        <Link to="/" className={css.brand} aria-label="Fairlead, home">
          <img src={icon} alt="" width={24} height={24} />
          <span className={css.brandName}>Fairlead</span>
        </Link>
        {project !== undefined && <ProjectMenu project={project} />}
        <div className={css.right}>
          <Commands />
          {project !== undefined && <LiveMark />}
          <ThemeMenu />
          <UserMenu />
        </div>
      </header>
      <nav ref={nav} id="rooms" className={css.rooms} aria-label="Rooms" onKeyDown={onKeyDown}>
        {project !== undefined &&
          rooms.map((room, i) => (
            <Link
              key={room.label}
              {...room.link(project)}
              activeOptions={{ exact: i === 0, includeSearch: false }}
              className={css.room}
              onClick={close}
            >
              <room.icon size={16} aria-hidden />
              {room.label}
            </Link>
          ))}
      </nav>
      <main id="main" className={css.main} tabIndex={-1}>
        {children}
      </main>
      <Toasts />
    </div>
  );
}

/** The frame while the server has not yet said who the reader is, of whom it shows nothing. */
export function Frame() {
  return (
    <div className={css.shell}>
      <header className={css.bar}>
        <span className={css.brand}>
          <img src={icon} alt="" width={24} height={24} />
          <span className={css.brandName}>Fairlead</span>
        </span>
      </header>
      <div className={css.rooms} />
      <main className={css.main}>
        <Loaded query={useQuery({ ...meQuery, enabled: false })} skeleton={<Lines n={6} />}>
          {() => null}
        </Loaded>
      </main>
    </div>
  );
}

/** The frame around the pages of a project. */
export function ProjectShell() {
  const { project } = useParams({ from: "/p/$project" });
  const { error } = useQuery(permissionsQuery(project));
  const barred = error instanceof Problem && (error.status === 404 || error.status === 403);
  useLive(barred ? undefined : project);
  return <Shell>{barred ? <NoProject error={error} /> : <Outlet />}</Shell>;
}

function ProjectMenu({ project }: { project: string }) {
  const { data = [project] } = useQuery(projectsQuery);
  return (
    <Menu
      label="Projects"
      target={
        <UnstyledButton className={css.project ?? ""} aria-label={`Project ${project}; switch`}>
          <span className={css.projectName}>{project}</span>
          <ChevronsUpDown size={14} aria-hidden />
        </UnstyledButton>
      }
    >
      {data.map((name) => (
        <Link
          key={name}
          to="/p/$project"
          params={{ project: name }}
          role="menuitem"
          aria-current={name === project}
          tabIndex={-1}
          className={menuItem}
        >
          <span>{name}</span>
          {name === project && <Check size={14} aria-hidden />}
        </Link>
      ))}
    </Menu>
  );
}

const themes = [
  ["auto", "As the system", Monitor],
  ["light", "Light", Sun],
  ["dark", "Dark", Moon],
] as const;

function ThemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = themes.find(([name]) => name === colorScheme)?.[2] ?? Monitor;
  return (
    <Menu
      label="Theme"
      align="end"
      target={
        <ActionIcon data-tip="Theme" aria-label="Theme">
          <Current size={16} aria-hidden />
        </ActionIcon>
      }
    >
      {themes.map(([name, label, Sign]) => (
        <MenuItem
          key={name}
          left={<Sign size={14} aria-hidden />}
          checked={name === colorScheme}
          onClick={() => setColorScheme(name)}
        >
          {label}
        </MenuItem>
      ))}
    </Menu>
  );
}

const kinds: Record<string, string> = {
  local: "on this machine, without an account",
  owner: "the owner of the data directory",
  session: "signed in",
  password: "signed in",
  token: "by a token",
};

function UserMenu() {
  const { data: me } = useQuery(meQuery);
  if (!me) return null;
  return (
    <Popover
      label="You"
      align="end"
      target={
        <ActionIcon data-tip={me.name} aria-label={`You are ${me.name}`}>
          <User size={16} aria-hidden />
        </ActionIcon>
      }
    >
      <div className={css.you}>
        <div>
          <strong>{me.name}</strong>, {kinds[me.kind] ?? me.kind}
        </div>
        {me.roles.map(({ role, project }) => (
          <div key={`${role} ${project}`}>
            {role.replaceAll("_", " ")} {project ? `in ${project}` : "everywhere"}
          </div>
        ))}
        {me.expires !== undefined && (
          <>
            <div>
              The session ends <Time at={me.expires} />
            </div>
            <form method="post" action="/signout">
              <Button
                type="submit"
                variant="default"
                leftSection={<LogOut size={14} aria-hidden />}
              >
                Sign out
              </Button>
            </form>
          </>
        )}
        {me.kind === "local" && (
          <>
            <div>To change things, be let in as the owner. On the server's machine:</div>
            <Command>fairlead ui</Command>
          </>
        )}
      </div>
    </Popover>
  );
}
