const told = { /* told */ }
// Tells an agent what others post and hold, and minds what it edits. Says nothing, and stops nothing, if Caucus is
// away. `caucus setup opencode` has written this, and `caucus setup opencode --undo` takes it out again.

const token = process.env.CAUCUS_TOKEN
const EDITS = /^(edit|write|multiedit|patch|apply_patch)$/

export const Caucus = async ({ client, directory }) => {
  if (!token || !told.url) return {}
  const begun = new Set()
  const parents = new Map()
  const warnings = new Map()

  const ask = async (event, payload) => {
    const query = new URLSearchParams({ guard: told.guard })
    if (told.room) query.set("room", told.room)
    try {
      const answer = await fetch(`${told.url}/hooks/opencode/${event}?${query}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ cwd: directory, ...payload }),
        signal: AbortSignal.timeout(2000),
      })
      return answer.ok ? await answer.json() : {}
    } catch {
      return {}
    }
  }

  // A subagent has a session of its own, and a task that needs no news.
  const isSubagent = (id) => {
    if (!parents.has(id)) {
      const found = client.session.get({ path: { id } }).then((it) => Boolean(it.data?.parentID), () => false)
      parents.set(id, found)
    }
    return parents.get(id)
  }

  return {
    "chat.message": async ({ sessionID }, { message, parts }) => {
      if (await isSubagent(sessionID)) return
      const event = begun.has(sessionID) ? "chat.message" : "session.created"
      begun.add(sessionID)
      const { additionalContext: text } = await ask(event, { sessionID })
      if (!text) return
      const id = `${parts.at(-1)?.id ?? "prt_"}z` // parts stand in the order of their ids
      parts.push({ id, sessionID, messageID: message.id, type: "text", text, synthetic: true })
    },

    "tool.execute.before": async ({ tool, sessionID, callID }, output) => {
      if (told.guard === "off" || !EDITS.test(tool)) return
      const { filePath, patchText } = output.args ?? {}
      const args = patchText ? { patchText } : { filePath }
      const said = await ask("tool.execute.before", { sessionID, tool, args })
      if (said.permissionDecision === "deny") throw new Error(said.permissionDecisionReason)
      if (said.additionalContext) warnings.set(callID, said.additionalContext)
    },

    "tool.execute.after": async ({ tool, sessionID, callID }, output) => {
      const warning = warnings.get(callID)
      warnings.delete(callID)
      if (!output) return
      const news = (await isSubagent(sessionID)) ? {} : await ask("tool.execute.after", { sessionID, tool })
      const text = [warning, news.additionalContext].filter(Boolean).join("\n\n")
      if (!text) return
      if (Array.isArray(output.content)) output.content.push({ type: "text", text })
      else output.output = `${output.output ?? ""}\n\n${text}`
    },
  }
}
