import { NativeSelect, type NativeSelectProps } from "@mantine/core";

interface ChoiceProps extends Omit<NativeSelectProps, "value" | "onChange" | "data"> {
  data: NonNullable<NativeSelectProps["data"]>;
  value: string | null;
  /** Gets null when nothing is chosen any more, which only one with `clearable` can say. */
  onChange: (value: string | null) => void;
  /** What stands there while nothing is chosen. */
  placeholder?: string;
  clearable?: boolean;
}

/**
 * One of several, in the browser's own list: it is known to every reader, finds what is
 * typed, and costs no bytes.
 */
export function Choice({ data, value, onChange, placeholder, clearable, ...rest }: ChoiceProps) {
  const none = value === null || clearable;
  return (
    <NativeSelect
      size="xs"
      {...rest}
      data={none ? [{ value: "", label: placeholder ?? "–", disabled: !clearable }, ...data] : data}
      value={value ?? ""}
      onChange={(e) => onChange(e.currentTarget.value || null)}
    />
  );
}
