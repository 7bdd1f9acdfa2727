import { Check } from "lucide-react";
import {
  cloneElement,
  useEffectEvent,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type ComponentPropsWithRef,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
} from "react";
import css from "./Menu.module.css";
import { place, type Align } from "./place";

interface FloatingProps extends Omit<ComponentPropsWithRef<"div">, "ref"> {
  /** What it stands beside: a control, or an area of the window. */
  at: HTMLElement | DOMRect;
  onClose: () => void;
  align?: Align | undefined;
}

/**
 * What stands over the page until Escape, a click elsewhere, or the focus going elsewhere.
 * The focus goes into it, and back when it closes.
 */
function Floating({ at, onClose, align = "start", onKeyDown, ...box }: FloatingProps) {
  const ref = useRef<HTMLDivElement>(null);
  const settle = useEffectEvent((el: HTMLElement) =>
    place(el, at instanceof DOMRect ? at : at.getBoundingClientRect(), align),
  );
  const away = useEffectEvent((el: HTMLElement, e: Event) => {
    const path = e.composedPath();
    if (!path.includes(el) && !(at instanceof HTMLElement && path.includes(at))) onClose();
  });
  useLayoutEffect(() => {
    const el = ref.current;
    const back = document.activeElement;
    if (!el) return;
    el.showPopover();
    settle(el);
    const first = el.querySelector<HTMLElement>("[data-autofocus]");
    (first ?? el.querySelector<HTMLElement>("a, button, input") ?? el).focus();
    const listeners = new AbortController();
    const until = { signal: listeners.signal, capture: true };
    document.addEventListener("pointerdown", (e) => away(el, e), until);
    document.addEventListener("focusin", (e) => away(el, e), until);
    window.addEventListener("resize", () => settle(el), until);
    window.addEventListener("scroll", () => settle(el), until);
    return () => {
      listeners.abort();
      if (el.contains(document.activeElement) && back instanceof HTMLElement) back.focus();
    };
  }, []);
  return (
    <div
      ref={ref}
      popover="manual"
      tabIndex={-1}
      {...box}
      onKeyDown={(e) => {
        if (e.key !== "Escape") return onKeyDown?.(e);
        e.preventDefault(); // a dialog around it stays
        onClose();
      }}
    />
  );
}

interface PopoverProps {
  /** The button that opens it. */
  target: ReactElement<ComponentPropsWithRef<"button">>;
  label: string;
  align?: Align | undefined;
  className?: string | undefined;
  children: ReactNode;
}

/** A button, and beside it what it opens. */
function useOpener(target: PopoverProps["target"], kind: "menu" | "dialog") {
  const [at, setAt] = useState<HTMLElement>();
  const id = useId();
  const button = cloneElement(target, {
    "aria-haspopup": kind,
    "aria-expanded": at !== undefined,
    ...(at ? { "aria-controls": id } : {}),
    onClick: (e) => {
      e.currentTarget.focus(); // which not every browser does by itself
      setAt(at ? undefined : e.currentTarget);
    },
    onKeyDown: (e) => {
      if (e.key !== "ArrowDown") return;
      e.preventDefault();
      setAt(e.currentTarget);
    },
  });
  return { button, at, id, onClose: () => setAt(undefined) };
}

/** A button that opens a panel of other controls. */
export function Popover({ target, label, align, className = "", children }: PopoverProps) {
  const { button, at, ...rest } = useOpener(target, "dialog");
  return (
    <>
      {button}
      {at && (
        <Floating
          {...rest}
          at={at}
          align={align}
          role="dialog"
          aria-label={label}
          className={`${css.panel} ${className}`}
        >
          {children}
        </Floating>
      )}
    </>
  );
}

/** A button that opens a menu of MenuItems. */
export function Menu({ target, label, align, children }: Omit<PopoverProps, "className">) {
  const { button, at, ...rest } = useOpener(target, "menu");
  return (
    <>
      {button}
      {at && (
        <MenuList {...rest} at={at} align={align} label={label}>
          {children}
        </MenuList>
      )}
    </>
  );
}

interface MenuListProps extends Pick<FloatingProps, "id" | "at" | "onClose" | "align"> {
  label: string;
  children: ReactNode;
}

const ITEMS = "[role^=menuitem]";
const CLOSING = `${ITEMS}:not([aria-disabled], [data-stays])`;

/** An open menu. Arrows, Home, End and first letters lead through it. */
export function MenuList({ label, children, ...rest }: MenuListProps) {
  const onKeyDown = (e: KeyboardEvent<HTMLElement>) => {
    const items = [...e.currentTarget.querySelectorAll<HTMLElement>(ITEMS)];
    const at = items.findIndex((item) => item === document.activeElement);
    const next = following(e.key, items, at);
    if (!next || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    next.focus();
  };
  return (
    <Floating
      {...rest}
      role="menu"
      aria-label={label}
      className={css.menu}
      onKeyDown={onKeyDown}
      onClick={(e) => {
        if ((e.target as Element).closest(CLOSING)) rest.onClose();
      }}
    >
      {children}
    </Floating>
  );
}

/** The item that a key leads to. */
function following(key: string, items: HTMLElement[], at: number): HTMLElement | undefined {
  if (key === "ArrowDown") return items[(at + 1) % items.length];
  if (key === "ArrowUp") return items.at(Math.max(at, 0) - 1);
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key.length !== 1 || key === " ") return undefined;
  const begins = (item: HTMLElement) =>
    item.textContent.trim().toLowerCase().startsWith(key.toLowerCase());
  return items.slice(at + 1).find(begins) ?? items.find(begins);
}

interface MenuItemProps extends ComponentPropsWithRef<"button"> {
  /** What stands before its words. */
  left?: ReactNode;
  /** Whether it is the one of several that holds. */
  checked?: boolean;
  danger?: boolean | undefined;
  /** The menu stays open after it. */
  stays?: boolean;
}

/** Something that a menu can do. It can be reached, and tells its reason, also where it may not be done. */
export function MenuItem(props: MenuItemProps) {
  const { left, checked, danger, stays, disabled, onClick, children, ...rest } = props;
  return (
    <button
      type="button"
      role={checked === undefined ? "menuitem" : "menuitemradio"}
      aria-checked={checked}
      tabIndex={-1}
      className={menuItem}
      data-danger={danger}
      data-stays={stays}
      aria-disabled={disabled || undefined}
      onClick={disabled ? undefined : onClick}
      {...rest}
    >
      {left}
      <span>{children}</span>
      {checked && <Check size={14} aria-hidden />}
    </button>
  );
}

/** The look of an item, for links that are one: they have role="menuitem" and no place in the order of Tab. */
export const menuItem = css.item;
