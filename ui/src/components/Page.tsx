import { Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { Fragment, type ReactNode } from "react";
import css from "./Page.module.css";

interface PageProps {
  title: string;
  /** What stands above the title: links to the pages around this one. */
  crumbs?: ReactNode[];
  /** What stands beside the title, such as a state. */
  badge?: ReactNode;
  /** A line below it. */
  about?: ReactNode;
  actions?: ReactNode;
  /** Uses the whole width and height of the window, as a large table does. */
  wide?: boolean;
  children: ReactNode;
}

/** The frame of every page: where one is, its name, and what one can do. */
export function Page(props: PageProps) {
  useDocumentTitle(`${props.title} · Fairlead`);
  return (
    <div className={props.wide ? css.wide : css.page}>
      <header className={css.head}>
        <div className={css.name}>
          {props.crumbs && (
            <nav aria-label="Breadcrumb" className={css.crumbs}>
              {props.crumbs.map((crumb, i) => (
                <Fragment key={i}>
                  {i > 0 && <span aria-hidden>/</span>}
                  {crumb}
                </Fragment>
              ))}
            </nav>
          )}
          <div className={css.line}>
            <Title order={1} className={css.title ?? ""} tabIndex={-1}>
              {props.title}
            </Title>
            {props.badge}
          </div>
          {props.about && <div className={css.about}>{props.about}</div>}
        </div>
        {props.actions && <div className={css.actions}>{props.actions}</div>}
      </header>
      {props.children}
    </div>
  );
}

interface SectionProps {
  title: string;
  /** A word on what is shown, such as its unit or clock. */
  about?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** The content reaches the edges, as a table does. */
  flush?: boolean;
}

/** A part of a page, on a surface of its own. */
export function Section(props: SectionProps) {
  return (
    <section className={css.section} aria-label={props.title}>
      <div className={css.sectionHead}>
        <h2 className={css.sectionTitle}>{props.title}</h2>
        {props.about && <div className={css.sectionAbout}>{props.about}</div>}
        {props.actions && <div className={css.sectionActions}>{props.actions}</div>}
      </div>
      <div className={props.flush ? css.flush : css.body}>{props.children}</div>
    </section>
  );
}

/** Sections side by side, as many as there is room for. */
export function Columns({ children, min = 420 }: { children: ReactNode; min?: number }) {
  return (
    <div
      className={css.columns}
      style={{ gridTemplateColumns: `repeat(auto-fit, minmax(min(100%, ${min}px), 1fr))` }}
    >
      {children}
    </div>
  );
}
