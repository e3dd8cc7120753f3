/** ULIDs: 26 characters of Crockford's base 32, the time first. */

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function ulid() {
  let time = Date.now();
  let text = "";
  for (let at = 0; at < 10; at++) {
    text = LETTERS[time % 32] + text;
    time = Math.floor(time / 32);
  }
  return text + [...crypto.getRandomValues(new Uint8Array(16))].map((one) => LETTERS[one % 32]).join("");
}
