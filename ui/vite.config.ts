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

/**
 * Names classes by their file and their place in it: in the rules and in the code each name
 * stands as it is, and what is random packs badly.
 */
function shortNames(): (name: string, file: string) => string {
  const files = new Map<string, string[]>();
  return (name, file) => {
    const names = files.get(file) ?? [];
    files.set(file, names);
    if (!names.includes(name)) names.push(name);
    const path = file.slice(import.meta.dirname.length);
    const short = createHash("sha256").update(path).digest("base64url").slice(0, 4);
    return `_${short}${names.indexOf(name).toString(36)}`;
  };
}

/** The room that a module of the pages belongs to. */
function roomOf(id: string): string | null {
  return /\/src\/pages\/(\w+)\//.exec(id)?.[1] ?? null;
}

export default defineConfig({
  base: "/ui/",
  css: { modules: { generateScopedName: shortNames() } },
  plugins: [react(), themeScript()],
  resolve: {
    alias: [
      {
        find: /^d3-(transition|interpolate)$/,
        replacement: `${import.meta.dirname}/src/graph/still.js`,
      },
    ],
  },
  build: {
    outDir: "build",
    manifest: true, // scripts/pack.js reads what the first page loads
    chunkSizeWarningLimit: 1000,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // A file for what all pages need, one for charts, and one for each room: files of a few
    // hundred bytes compress badly, and took 40 KB more together.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: "libraries",
              test: /node_modules\/(?!uplot|@xyflow|@dagrejs|d3-|zustand|classcat)/,
            },
            { name: "shared", test: /\/src\/(app|components|data|format)\// },
            {
              name: "charts",
              test: /\/src\/charts\/|\/src\/graph\/(Card|GraphFigure)\.|node_modules\/uplot\//,
            },
            { name: roomOf, debugName: "rooms", test: /\/src\/pages\/\w+\/(?!routes)/ },
          ],
        },
      },
    },
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
    testTimeout: 30_000,
  },
});
