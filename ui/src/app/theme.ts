import {
  createTheme,
  localStorageColorSchemeManager,
  type MantineColorsTuple,
} from "@mantine/core";

/** The product's colour. Shade 8 carries white text (5.9:1). */
const tide: MantineColorsTuple = [
  "#e6f5f8",
  "#cfe9ef",
  "#a3d5e0",
  "#72bfd0",
  "#4aabc1",
  "#2f9db6",
  "#1c8ba5",
  "#117890",
  "#0a6680",
  "#04506a",
];

/** What Mantine draws dark: from ink to what is sunken, as in tokens.css. */
const dark: MantineColorsTuple = [
  "#e6ecf1",
  "#c3ccd5",
  "#a0adb9",
  "#73818e",
  "#3a4854",
  "#2b3741",
  "#212c35",
  "#171f26",
  "#10161b",
  "#0c1115",
];

export const theme = createTheme({
  colors: { tide, dark },
  primaryColor: "tide",
  primaryShade: { light: 8, dark: 8 },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: "var(--f-mono)",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: { fontWeight: "600" },
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "xs" } },
    NativeSelect: { defaultProps: { size: "xs" } },
    SegmentedControl: { defaultProps: { size: "xs" } },
    Checkbox: { defaultProps: { size: "xs" } },
    Switch: { defaultProps: { size: "xs" } },
  },
});

/** Which theme the reader has chosen; theme.head.js reads the same key. */
export const themeManager = localStorageColorSchemeManager({ key: "fairlead-theme" });
