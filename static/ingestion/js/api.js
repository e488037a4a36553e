// Calls of the JSON API: the session's cookie, the CSRF header, errors in one form.
export class ApiError extends Error {
  constructor(status, code, message, present, fields) {
    super(message);
    this.status = status;
    this.code = code;
    this.present = present;
    this.fields = fields;
  }
}

/** A new key for one action, so that a second click gets the first answer again. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The answer's JSON. Throws ApiError; one with status 0 when nobody answered. */
export async function call(method, path, { body, key, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (key) headers["Idempotency-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await answer(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  return checked(response);
}

/** The answer's JSON, or what went wrong as an ApiError. */
export async function checked(response) {
  const data = await response.json().catch(() => null);
  if (response.ok) return data;
  if (response.status === 401) goToLogin();
  const error = data?.error ?? {};
  const message = error.message ?? `The server answered ${response.status}.`;
  throw new ApiError(response.status, error.code ?? "", message, error.present ?? data?.present, error.fields);
}

export function goToLogin() {
  const here = encodeURIComponent(location.pathname + location.search);
  location.assign(`/login/?next=${here}`);
}

/** What is set of `fields`: no empty texts, no undefined. */
export function given(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== "" && value !== undefined));
}

async function answer(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(20000), ...dropEmpty(options) });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError(0, "NO_ANSWER", "The server does not answer. Nothing is known of what became of this; look again in a moment.");
  }
}

function dropEmpty(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}
