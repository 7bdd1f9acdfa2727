import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(cleanup);

// A page's code comes with its first drawing, and a busy machine takes its time over it.
configure({ asyncUtilTimeout: 10_000 });
