// One passing notice at the foot of the window. It is read aloud, and stays until it is dismissed or replaced: a refusal
// nobody had time to read would be no answer.
import { useSpeak, useWord } from "../hooks.ts";
import { useScreen } from "../stores/screen.ts";
import { Icon } from "./Icon.tsx";
import s from "./Notice.module.css";

export function Notice() {
  const notice = useScreen((store) => store.notice);
  const dismiss = useScreen((store) => store.dismiss);
  const speak = useSpeak();
  const word = useWord();
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
