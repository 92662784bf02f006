/* Requests: errors as sentences, and of a moving slider only the newest state. */

const page = crypto.getRandomValues(new Uint32Array(1))[0];
let senders = 0;

/** The JSON of an answer; throws an Error whose message is the server's sentence. Null if a newer request superseded it. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer; is the command that opened this page still running?");
  }
  if (answer.status === 409) return null;
  const values = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
  if (!answer.ok) throw new Error(values.error);
  return values;
}

/** Shows a sentence at the foot of the page; without one hides it. */
export function notice(message = "") {
  const box = document.getElementById("notice");
  box.firstElementChild.textContent = message;
  box.hidden = !message;
}

/**
 * A function `(body)` that posts to `path` and hands the answer to `show(images, body)`.
 *
 * One request is on its way at a time and only the newest body waits, so answers come in order, the last one shown is
 * that of the last body, and a slider never runs ahead of the model.
 */
export function live(path, stage, show) {
  let waiting = null;
  let busy = false;
  const headers = { "Content-Type": "application/json", "X-Panel": `${page}:${senders++}` };
  return async (body) => {
    waiting = body;
    if (busy) return;
    busy = true;
    stage.setAttribute("aria-busy", "true");
    while (waiting) {
      const sent = waiting;
      waiting = null;
      try {
        const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(sent) });
        if (answer) {
          show(answer.images, sent);
          notice();
        }
      } catch (error) {
        notice(error.message);
      }
    }
    busy = false;
    stage.removeAttribute("aria-busy");
  };
}
