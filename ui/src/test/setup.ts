import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(cleanup);

// happy-dom has no top layer.
HTMLElement.prototype.showPopover ??= () => {};
HTMLElement.prototype.hidePopover ??= () => {};

// A page's code comes with its first drawing, and a busy machine takes its time over it.
configure({ asyncUtilTimeout: 10_000 });
