import { Button } from "@mantine/core";
import css from "./Page.module.css";

interface MoreProps {
  /** A list by pages. */
  query: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => Promise<unknown>;
  };
  /** What the button says, such as "Show older runs". */
  children: string;
}

/** Below a list: its next page, as long as there is one. */
export function More({ query, children }: MoreProps) {
  if (!query.hasNextPage) return null;
  return (
    <div className={css.more}>
      <Button
        variant="default"
        loading={query.isFetchingNextPage}
        onClick={() => void query.fetchNextPage()}
      >
        {children}
      </Button>
    </div>
  );
}
