// One passing notice at the foot of the window. It is read aloud. A refusal stays until it is dismissed or replaced, for
// one that nobody had time to read would be no answer; good news goes by itself.
import { useEffect } from "react";

import { useSpeak, useWord } from "../hooks.ts";
import { useScreen } from "../stores/screen.ts";
import { Icon } from "./Icon.tsx";
import s from "./Notice.module.css";

/** Twice as long as a short sentence takes to read. */
const goodNewsMs = 5000;

export function Notice() {
  const notice = useScreen((store) => store.notice);
  const dismiss = useScreen((store) => store.dismiss);
  const speak = useSpeak();
  const word = useWord();
  useEffect(() => {
    if (notice === null || notice.bad) return;
    const timer = setTimeout(dismiss, goodNewsMs);
    return () => {
      clearTimeout(timer);
    };
  }, [notice, dismiss]);
  return (
    <div role="alert" className={s.place}>
      {notice !== null && (
        <div className={`${s.notice ?? ""} ${notice.bad ? (s.bad ?? "") : ""}`}>
          <p>{speak(notice.say)}</p>
          <button type="button" className="btn bare icon" aria-label={word("act.close")} onClick={dismiss}>
            <Icon name="cross" />
          </button>
        </div>
      )}
    </div>
  );
}
