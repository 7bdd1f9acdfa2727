import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "./client";

/** The names of the projects that the reader may read. */
export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: async ({ signal }) => {
    const page = await ask(
      api.GET("/api/v1/projects", { params: { query: { limit: 1000 } }, signal }),
    );
    return page.items.map((p) => p.name);
  },
});
