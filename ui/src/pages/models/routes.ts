import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { projectRoute } from "../../app/root";
import { asOfIn, nameIn, pairIn } from "./search";

const models = createRoute({
  getParentRoute: () => projectRoute,
  path: "models",
  validateSearch: nameIn,
  component: lazyRouteComponent(() => import("./models"), "Models"),
});

const model = createRoute({
  getParentRoute: () => projectRoute,
  path: "models/$model",
  validateSearch: asOfIn,
  component: lazyRouteComponent(() => import("./model"), "ModelPage"),
});

const compare = createRoute({
  getParentRoute: () => projectRoute,
  path: "models/$model/compare",
  validateSearch: pairIn,
  component: lazyRouteComponent(() => import("./compare"), "ComparePage"),
});

const version = createRoute({
  getParentRoute: () => projectRoute,
  path: "models/$model/versions/$version",
  validateSearch: asOfIn,
  component: lazyRouteComponent(() => import("./version"), "VersionPage"),
});

/** The routes of this room, below a project; each draws its page lazily. */
export const routes = [models, model, compare, version] as const;
