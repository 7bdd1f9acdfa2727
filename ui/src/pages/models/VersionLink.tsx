import { Link } from "@tanstack/react-router";
import type { AsOf } from "../../data/models";

interface VersionLinkProps {
  model: string;
  version: number;
  /** The point of time that the page it leads to shows; now without it. */
  asOf?: AsOf;
}

/** A version of a model by its number, with a link to its page. */
export function VersionLink({ model, version, asOf = "" }: VersionLinkProps) {
  return (
    <Link
      from="/p/$project"
      to="/p/$project/models/$model/versions/$version"
      params={{ model, version: String(version) }}
      search={asOf === "" ? {} : { as_of: asOf }}
    >
      version {version}
    </Link>
  );
}
