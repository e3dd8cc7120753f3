/** Which claims are on the same things: targets that are equal, or of which one lies in the other. */

/** A target as what it names, and whether it is that and all below it. */
function read(target) {
  const text = target.trim().normalize("NFC");
  if (text === "**") return { name: "", below: true };
  const name = text.replace(/\/(\*\*)?$/, "");
  return { name, below: name !== text };
}

const within = (inner, outer) => outer.below && (outer.name === "" || inner.name === outer.name || inner.name.startsWith(`${outer.name}/`));

function overlap(one, other) {
  return (one.name === other.name && one.below === other.below) || within(one, other) || within(other, one);
}

/** The claims of a board that some others wait for, by their numbers, with how many do. */
export function waitedFor(claims) {
  const targets = new Map(claims.map((one) => [one, one.targets.map(read)]));
  const waiting = claims.filter((one) => one.state === "waiting");
  const found = new Map();
  for (const held of claims) {
    if (held.state !== "held") continue;
    const behind = waiting.filter((one) => targets.get(one).some((mine) => targets.get(held).some((theirs) => overlap(mine, theirs))));
    if (behind.length) found.set(held.claim, behind);
  }
  return found;
}
