// The server's HTTP interface.

/** What the server answered instead of what was asked for. */
class Refusal extends Error {
  constructor(status, answer) {
    super(answer?.msg || (status ? `the server answered with status ${status}` : "the server cannot be reached"));
    this.status = status;
    this.code = answer?.code ?? "";
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Sends a request. Returns the answer's JSON, or null if it has no body. */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0);
  }
  const answer = parse(await response.text());
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

const server = {
  /**
   * Sends one file. XMLHttpRequest and not fetch, which cannot tell how far it has got.
   * Resolves to the answer's JSON; progress is called with the share that is sent.
   */
  send(file, background, progress, signal) {
    return new Promise((resolve, reject) => {
      const form = new FormData();
      form.append("images[]", file, file.name || "picture");
      const request = new XMLHttpRequest();
      request.open("POST", background ? "/image/backgrounded" : "/image");
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.upload.onload = () => progress(1);
      request.onload = () => {
        const answer = parse(request.responseText);
        if (request.status >= 200 && request.status < 300 && answer) resolve(answer);
        else reject(new Refusal(request.status, answer));
      };
      request.onerror = () => reject(new Refusal(0));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  },

  /** Waits for an upload that a worker takes in. The server answers 204 as long as it is not ready. */
  async claim(id, signal) {
    for (;;) {
      const answer = await ask(`/image/backgrounded/claim?upload_id=${encodeURIComponent(id)}`, { signal });
      if (answer) return answer;
    }
  },

  details: (alias) => ask(`/image/details/original?alias=${encodeURIComponent(alias)}`),
  blurhash: async (alias) => (await ask(`/image/blurhash?alias=${encodeURIComponent(alias)}`)).blurhash,
  delete: (alias, token) =>
    ask(`/image/delete/${encodeURIComponent(token)}/${encodeURIComponent(alias)}`, { method: "DELETE" }),

  original: (alias) => `/image/original/${encodeURIComponent(alias)}`,

  /** The address of a variant. Steps are pairs of an operation and its value, in order. */
  variant(alias, extension, steps) {
    const query = steps.map(([operation, value]) => `${operation}=${encodeURIComponent(value)}`);
    return `/image/process.${extension}?src=${encodeURIComponent(alias)}&${query.join("&") || "identity=true"}`;
  },
};

/** Loads an image. What is wrong with it is asked for separately: images do not tell. */
async function load(address) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    await ask(address); // throws what the server says
    throw new Refusal(0, { msg: "the browser cannot show this picture" });
  }
  return image;
}
