import { queryOptions, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, ask, type Schemas } from "./client";

export type Permission = Schemas["Permissions"]["items"][number];

export const permissionsQuery = (project: string) =>
  queryOptions({
    queryKey: ["p", project, "permissions"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/projects/{project}/permissions", {
          params: { path: { project } },
          signal,
        }),
      ),
    staleTime: 60_000,
  });

/** Whether the reader may do something in the project of the page, and why not. */
export function useMay(permission: Permission): { may: boolean; why: string } {
  const { project = "" } = useParams({ strict: false });
  const { data, error, failureReason } = useQuery({
    ...permissionsQuery(project),
    enabled: project !== "",
  });
  if (data === undefined)
    return { may: false, why: (error ?? failureReason)?.message ?? "One moment" };
  return data.items.includes(permission)
    ? { may: true, why: "" }
    : { may: false, why: data.otherwise };
}
