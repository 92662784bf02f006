/* Requests: errors as sentences beside what failed, and of a moving slider only the newest state. */

const page = crypto.getRandomValues(new Uint32Array(1))[0];
let senders = 0;

/** An Error whose message is a sentence, and whether the same request may succeed when it is made again. */
const problem = (message, transient) => Object.assign(new Error(message), { transient });

/** The JSON of an answer; throws an Error whose message is the server's sentence. Null if a newer request superseded it. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw problem("The server does not answer; is the command that opened this page still running?", true);
  }
  if (answer.status === 409) return null;
  const values = await answer.json().catch(() => null); // null where the answer breaks off, or a proxy gave it
  if (answer.ok && values) return values;
  const transient = answer.ok || answer.status >= 500 || answer.status === 408;
  const unreadable = `The server gave no answer that can be read (${answer.status}); does its command still run?`;
  throw problem(values?.error ?? unreadable, transient);
}

/** The JSON of the answer to a POST of JSON; `options` are those of `fetch`. */
export function post(path, body, { headers, ...options } = {}) {
  const allHeaders = { "Content-Type": "application/json", ...headers };
  return ask(path, { method: "POST", headers: allHeaders, body: JSON.stringify(body), ...options });
}

/** Shows an error at the end of `box`, with a button that tries again where that may help; without one hides it. */
export function fail(box, error = null, again = null) {
  let line = box.querySelector(":scope > .failure");
  if (!error) return line?.remove();
  if (!line) {
    line = Object.assign(document.createElement("p"), { className: "failure" });
    line.setAttribute("role", "alert");
    box.append(line);
  }
  const focused = line.contains(document.activeElement); // on the button of the failure before
  line.replaceChildren(Object.assign(document.createElement("span"), { textContent: error.message }));
  if (!error.transient) return;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again" });
  button.addEventListener("click", again);
  line.append(button);
  if (focused) button.focus();
}

/**
 * A function `(body, facts)` that posts the body to `path`, calls `show(answer, {...body, ...facts})`, and promises
 * whether the server answered without an error.
 *
 * One request is on its way at a time and only the newest body waits, so answers come in order, the last one shown is
 * that of the last body, and a slider never runs ahead of the model. Errors are shown in `stage`.
 */
export function live(path, stage, show) {
  let newest = null;
  let waiting = null; // the newest, until it is sent
  let sending = null; // the promise of `sendAll()` while it runs
  const headers = { "X-Panel": `${page}:${senders++}` };
  const sendAll = async () => {
    let answered = true;
    stage.setAttribute("aria-busy", "true");
    while (waiting) {
      const sent = waiting;
      waiting = null;
      try {
        const answer = await post(path, sent[0], { headers });
        answered = true;
        if (answer) {
          show(answer, { ...sent[0], ...sent[1] });
          fail(stage);
        }
      } catch (error) {
        answered = false;
        fail(stage, error, () => request(...newest));
      }
    }
    sending = null;
    stage.removeAttribute("aria-busy");
    return answered;
  };
  const request = (body, facts = {}) => {
    waiting = newest = [body, facts];
    sending ??= sendAll();
    return sending;
  };
  return request;
}
