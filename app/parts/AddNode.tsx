// The dialog that adds a node from any screen.
import { bridge } from "../bridge.ts";
import { useWord } from "../hooks.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { say } from "../view/say.ts";
import { AddForm } from "./AddForm.tsx";
import { Dialog } from "./Dialog.tsx";

export function AddNode() {
  const word = useWord();
  const { setAdding, show, tell, tellRefusal } = useScreen.getState();
  const { connect } = useStatus.getState();
  return (
    <Dialog
      title={word("add.title")}
      wide
      onClose={() => {
        setAdding(false);
      }}
    >
      <AddForm
        later={null}
        onAdded={(node, andConnect) => {
          setAdding(false);
          if (!andConnect) {
            tell(say("add.added", { node: node.name }));
            return;
          }
          show("connect");
          void connect(bridge(), node.id).then((refusal) => {
            if (useStatus.getState().status?.state.kind !== "failed") tellRefusal(refusal);
          });
        }}
      />
    </Dialog>
  );
}
