// While a policy is only tried: how long it still stands, and the one button that keeps it. On every screen, because who
// does not press it in time goes back to the rules of before.
import { bridge } from "../bridge.ts";
import { useFacts, useWord } from "../hooks.ts";
import { usePolicy } from "../stores/policy.ts";
import { useScreen } from "../stores/screen.ts";
import { say, span } from "../view/say.ts";
import { Icon } from "./Icon.tsx";
import s from "./Confirm.module.css";

export function Confirm() {
  const word = useWord();
  const { status, now } = useFacts();
  const { confirm } = usePolicy.getState();
  const { tell, tellRefusal } = useScreen.getState();
  if (status?.confirm === undefined) return null;
  const left = Math.max(0, Math.ceil((status.confirm.until - now) / 1000)) * 1000;
  const press = async (): Promise<void> => {
    const refusal = await confirm(bridge());
    if (refusal === null) tell(say("lanes.kept"));
    else tellRefusal(refusal);
  };
  return (
    <section className={s.confirm} aria-label={word("act.keep")}>
      <Icon name="undo" />
      <p>{word("confirm", { time: span(left) })}</p>
      <button type="button" className="btn tiny first" onClick={() => void press()}>
        {word("act.keep")}
      </button>
    </section>
  );
}
