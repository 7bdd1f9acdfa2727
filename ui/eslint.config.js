import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["build", "dist", "node_modules", "src/data/api.gen.ts", "e2e/shots"] },
  ...ts.configs.strict,
  hooks.configs.flat["recommended-latest"],
  {
    rules: {
      "no-restricted-properties": [
        "error",
        { property: "dangerouslySetInnerHTML", message: "Show text as text." },
        { property: "innerHTML", message: "Show text as text." },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "Show text as text.",
        },
      ],
      // The rows of a virtual list are read while drawing; that is how TanStack Virtual works.
      "react-hooks/incompatible-library": "off",
    },
  },
);
