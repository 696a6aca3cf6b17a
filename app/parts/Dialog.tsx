// A modal dialog on the platform's own <dialog>: it keeps the focus inside, closes on Esc and gives the focus back.
// Radix's Dialog locks scrolling with a <style> element, which the window's Content-Security-Policy refuses.
import { useEffect, useId, useRef, type ReactNode } from "react";

import { useWord } from "../hooks.ts";
import { Icon } from "./Icon.tsx";
import s from "./Dialog.module.css";

interface Props {
  readonly title: string;
  readonly wide?: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ title, wide = false, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const word = useWord();
  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    // showModal takes the first thing that can be focused, which is the cross
    dialog?.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={`${s.dialog ?? ""} ${wide ? (s.wide ?? "") : ""}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className={s.head}>
        <h2 id={titleId}>{title}</h2>
        <button type="button" className="btn bare icon" aria-label={word("act.close")} onClick={onClose}>
          <Icon name="cross" />
        </button>
      </div>
      {children}
    </dialog>
  );
}
