import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "./client";

/** Who reads the page, and what they may do. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => ask(api.GET("/api/v1/me", { signal })),
  staleTime: 60_000,
});
