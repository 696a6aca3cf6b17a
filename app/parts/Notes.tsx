// The notes of Connect in one plate, each with what can be done about it.
import { bridge } from "../bridge.ts";
import { useSpeak } from "../hooks.ts";
import { useNotes } from "../stores/notes.ts";
import { useScreen } from "../stores/screen.ts";
import type { Note, NoteAct } from "../view/notes.ts";
import { say } from "../view/say.ts";
import { Icon } from "./Icon.tsx";
import s from "./Notes.module.css";

export function Notes({ notes }: { readonly notes: readonly Note[] }) {
  const speak = useSpeak();
  if (notes.length === 0) return null;
  return (
    <ul className={`note ${s.notes ?? ""}`}>
      {notes.map((note) => (
        <li key={note.id}>
          <Icon name="warn" />
          <p>{speak(note.say)}</p>
          {note.acts.length > 0 && (
            <span className={s.acts}>
              {note.acts.map((act) => (
                <ActOf key={act.kind} note={note} act={act} />
              ))}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function ActOf({ note, act }: { readonly note: Note; readonly act: NoteAct }) {
  const speak = useSpeak();
  const repairing = useNotes((store) => store.repairing);
  const { putAway, repair } = useNotes.getState();
  const { tell, tellRefusal } = useScreen.getState();
  const press = async (): Promise<void> => {
    if (act.kind === "leave") {
      putAway(note.id);
      return;
    }
    const answer = await repair(bridge(), act.finding);
    if (!answer.ok) tellRefusal(answer.refusal);
    else if (answer.value.done.length === 0) tell(say("repair.left"), true);
    else tell(say("repair.done", { count: answer.value.done.length }));
  };
  // what only puts a note away needs no words beside those of the note
  const bare = act.kind === "leave" && note.acts.length === 1;
  return (
    <button
      type="button"
      className={`btn tiny ${bare ? "bare" : ""}`}
      aria-label={bare ? speak(act.say) : undefined}
      title={bare ? speak(act.say) : undefined}
      disabled={act.kind === "repair" && repairing === act.finding}
      onClick={() => void press()}
    >
      {bare ? <Icon name="cross" /> : speak(act.say)}
    </button>
  );
}
