// Before connecting would end a connection over which somebody works on this machine: who would press "connect" may be that
// somebody, and would not be here to undo it. Nothing has changed yet; closing leaves it so.
import { bridge } from "../bridge.ts";
import { useWord } from "../hooks.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { Dialog } from "./Dialog.tsx";
import s from "./RuleEditor.module.css";

export function KeepWayIn() {
  const word = useWord();
  const asked = useStatus((store) => store.wayIn);
  const { goOn, setWayIn } = useStatus.getState();
  const { tellRefusal } = useScreen.getState();
  if (asked === null) return null;
  const { from, port } = asked.data;
  const press = (keep: boolean): void => {
    void goOn(bridge(), keep).then((refusal) => {
      if (useStatus.getState().status?.state.kind !== "failed") tellRefusal(refusal);
    });
  };
  return (
    <Dialog
      title={word("way-in.title")}
      onClose={() => {
        setWayIn(null);
      }}
    >
      <div className={s.form}>
        <p>{word("way-in.text", { from: String(from), port: String(port) })}</p>
        <div className={s.buttons}>
          <button
            type="button"
            className="btn first"
            data-focus
            onClick={() => {
              press(true);
            }}
          >
            {word("way-in.keep")}
          </button>
          <button
            type="button"
            className="btn"
            onClick={() => {
              press(false);
            }}
          >
            {word("way-in.anyway")}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
