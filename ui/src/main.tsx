import "./app/styles";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { watchCode } from "./app/code";
import { keepFocus } from "./app/focus";
import { newRouter } from "./app/router";
import { startTips } from "./components/tips";
import { theme, themeManager } from "./app/theme";
import { newQueryClient } from "./data/query";

const queries = newQueryClient();
const router = newRouter(queries);
const at = document.getElementById("root");
if (!at) throw new Error("the document has no #root");

// The policy lets styles in that carry the document's nonce, which each answer has anew.
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

startTips();
keepFocus();
watchCode();

createRoot(at).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      colorSchemeManager={themeManager}
      getStyleNonce={() => nonce}
      deduplicateCssVariables={false}
    >
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
