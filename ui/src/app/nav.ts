import { linkOptions } from "@tanstack/react-router";
import {
  Activity,
  Boxes,
  Database,
  FlaskConical,
  House,
  ListChecks,
  ShieldCheck,
  Waypoints,
  Workflow,
} from "lucide-react";

/**
 * The rooms of the program in the order of a model's life: Home · Data · Experiments ·
 * Pipelines · Models · Endpoints · Monitoring · CRISP-DM · Audit. The keys G and a room's
 * letter lead there.
 */
export const rooms = [
  {
    label: "Home",
    letter: "H",
    icon: House,
    link: (project: string) => linkOptions({ to: "/p/$project", params: { project } }),
  },
  {
    label: "Data",
    letter: "D",
    icon: Database,
    link: (project: string) => linkOptions({ to: "/p/$project/data", params: { project } }),
  },
  {
    label: "Experiments",
    letter: "E",
    icon: FlaskConical,
    link: (project: string) => linkOptions({ to: "/p/$project/experiments", params: { project } }),
  },
  {
    label: "Pipelines",
    letter: "P",
    icon: Workflow,
    link: (project: string) => linkOptions({ to: "/p/$project/pipelines", params: { project } }),
  },
  {
    label: "Models",
    letter: "M",
    icon: Boxes,
    link: (project: string) => linkOptions({ to: "/p/$project/models", params: { project } }),
  },
  {
    label: "Endpoints",
    letter: "N",
    icon: Waypoints,
    link: (project: string) => linkOptions({ to: "/p/$project/endpoints", params: { project } }),
  },
  {
    label: "Monitoring",
    letter: "O",
    icon: Activity,
    link: (project: string) => linkOptions({ to: "/p/$project/monitoring", params: { project } }),
  },
  {
    label: "CRISP-DM",
    letter: "C",
    icon: ListChecks,
    link: (project: string) => linkOptions({ to: "/p/$project/phases", params: { project } }),
  },
  {
    label: "Audit",
    letter: "A",
    icon: ShieldCheck,
    link: (project: string) => linkOptions({ to: "/p/$project/audit", params: { project } }),
  },
];
