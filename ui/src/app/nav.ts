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
 * Pipelines · Models · Endpoints · Monitoring · CRISP-DM · Audit.
 */
export const rooms = [
  {
    label: "Home",
    icon: House,
    link: (project: string) => linkOptions({ to: "/p/$project", params: { project } }),
  },
  {
    label: "Data",
    icon: Database,
    link: (project: string) => linkOptions({ to: "/p/$project/data", params: { project } }),
  },
  {
    label: "Experiments",
    icon: FlaskConical,
    link: (project: string) => linkOptions({ to: "/p/$project/experiments", params: { project } }),
  },
  {
    label: "Pipelines",
    icon: Workflow,
    link: (project: string) => linkOptions({ to: "/p/$project/pipelines", params: { project } }),
  },
  {
    label: "Models",
    icon: Boxes,
    link: (project: string) => linkOptions({ to: "/p/$project/models", params: { project } }),
  },
  {
    label: "Endpoints",
    icon: Waypoints,
    link: (project: string) => linkOptions({ to: "/p/$project/endpoints", params: { project } }),
  },
  {
    label: "Monitoring",
    icon: Activity,
    link: (project: string) => linkOptions({ to: "/p/$project/monitoring", params: { project } }),
  },
  {
    label: "CRISP-DM",
    icon: ListChecks,
    link: (project: string) => linkOptions({ to: "/p/$project/phases", params: { project } }),
  },
  {
    label: "Audit",
    icon: ShieldCheck,
    link: (project: string) => linkOptions({ to: "/p/$project/audit", params: { project } }),
  },
];
