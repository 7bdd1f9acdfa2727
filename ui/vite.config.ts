import react from "@vitejs/plugin-react";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * The page follows the reader's theme before anything is painted. The script for it
 * stands in the head, as a file with an immutable name: the policy allows none inline.
 */
function themeScript(): Plugin {
  const source = readFileSync(new URL("src/app/theme.head.js", import.meta.url), "utf8");
  const name = `assets/theme-${createHash("sha256").update(source).digest("hex").slice(0, 8)}.js`;
  return {
    name: "theme-script",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: name, source });
    },
    transformIndexHtml(_, { server }) {
      const src = server ? "/ui/src/app/theme.head.js" : `/ui/${name}`;
      return [{ tag: "script", attrs: { src }, injectTo: "head-prepend" }];
    },
  };
}

export default defineConfig({
  base: "/ui/",
  plugins: [react(), themeScript()],
  build: {
    outDir: "build",
    manifest: true, // scripts/pack.js reads what the first page loads
    chunkSizeWarningLimit: 1000,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  // `npm run dev` shows the pages with the data of a server that runs beside it.
  server: {
    proxy: {
      "^/(api|ajax-api|v2|p/[^/]+/(api|v2))/": process.env.FAIRLEAD_URL ?? "http://127.0.0.1:4747",
    },
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
  },
});
