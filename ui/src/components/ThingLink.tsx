import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { pageOf, type Thing } from "../data/links";

interface ThingLinkProps {
  thing: Thing | undefined;
  children: ReactNode;
  className?: string | undefined;
  title?: string;
}

/** A link to the page of a thing of this project; its text alone where it has none. */
export function ThingLink({ thing, children, ...rest }: ThingLinkProps) {
  const { project = "" } = useParams({ strict: false });
  const to = thing && pageOf(project, thing);
  if (to === undefined) return <span {...rest}>{children}</span>;
  return (
    <Link to={to} {...rest}>
      {children}
    </Link>
  );
}
