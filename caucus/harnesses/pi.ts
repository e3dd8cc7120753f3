const told: { url: string; room: string; guard: string } = { /* told */ }
// The tools of Caucus for pi, what others post and hold, and a guard on edits. The agent goes on without all of it
// if Caucus is away. `caucus setup pi` has written this, and `caucus setup pi --undo` takes it out again.
import type { ExtensionAPI, ExtensionContext } from "@earendil-works/pi-coding-agent"

const token = process.env.CAUCUS_TOKEN
const SOON = 2_000 // milliseconds, for what nobody has asked for
const LONG = 60_000 // for a call, which may wait for 50 s
const REST = 30_000 // without news after tools, once nobody has answered

type Told = { additionalContext?: string; permissionDecision?: string; permissionDecisionReason?: string }

class Refused extends Error {}

async function post(path: string, query: Record<string, string>, body: unknown, ms: number, signal?: AbortSignal) {
  const asked = new URLSearchParams(told.room ? { room: told.room, ...query } : query)
  const late = AbortSignal.timeout(ms)
  const answer = await fetch(`${told.url}${path}?${asked}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, late]) : late,
  })
  const said = (await answer.json()) as any
  if (!answer.ok) throw new Refused(`Caucus: ${said.error?.message ?? answer.status}`)
  return said
}

async function rpc(method: string, params: object, ms: number, signal?: AbortSignal) {
  const answer = await post("/mcp", {}, { jsonrpc: "2.0", id: 1, method, params }, ms, signal)
  if (answer.error) throw new Refused(answer.error.message)
  return answer.result
}

async function call(name: string, given: unknown, signal?: AbortSignal): Promise<string> {
  let result
  try {
    result = await rpc("tools/call", { name, arguments: given }, LONG, signal)
  } catch (error: any) {
    if (signal?.aborted || error instanceof Refused) throw error
    throw new Error(`Caucus did not answer (${error.cause?.code ?? error.message}). Go on without it.`)
  }
  const text = result.content.map((part: { text?: string }) => part.text ?? "").join("\n")
  if (result.isError) throw new Error(text)
  return text
}

/** What Caucus has to say to an event; nothing at all if it is away. */
async function hook(event: string, ctx: ExtensionContext, more: object = {}): Promise<Told | undefined> {
  const body = { sessionId: ctx.sessionManager.getSessionId(), cwd: ctx.cwd, ...more }
  try {
    return await post(`/hooks/pi/${event}`, { guard: told.guard }, body, SOON, ctx.signal)
  } catch {
    return undefined
  }
}

export default function (pi: ExtensionAPI) {
  if (!token || !told.url) return
  let hasTools = false
  let isNew = true // to the model, which nothing can be told before its first turn
  let restUntil = 0
  const warnings = new Map<string, string>()

  async function addTools() {
    if (hasTools) return
    for (const { name, description, inputSchema } of (await rpc("tools/list", {}, SOON)).tools) {
      pi.registerTool({
        name: `caucus_${name}`,
        label: `Caucus ${name}`,
        description,
        parameters: inputSchema,
        async execute(_id: string, given: unknown, signal?: AbortSignal) {
          return { content: [{ type: "text", text: await call(name, given, signal) }], details: undefined }
        },
      })
      hasTools = true
    }
  }

  pi.on("session_start", async (_event, ctx) => {
    isNew = true
    await addTools().catch((error) => {
      if (error instanceof Refused) ctx.ui.notify(error.message, "warning")
    })
  })
  pi.on("session_compact", () => {
    isNew = true
  })

  pi.on("before_agent_start", async (_event, ctx) => {
    const event = isNew ? "session_start" : "before_agent_start"
    const [said] = await Promise.all([hook(event, ctx), addTools().catch(() => undefined)])
    if (said) isNew = false
    if (!said?.additionalContext) return
    return { message: { customType: "caucus", content: said.additionalContext, display: true } }
  })

  // An error in here would stop the tool; there is none.
  pi.on("tool_call", async (event, ctx) => {
    if (told.guard === "off" || (event.toolName !== "edit" && event.toolName !== "write")) return
    const path = String(event.input.path).replace(/^@/, "")
    const said = await hook("tool_call", ctx, { toolName: event.toolName, input: { path } })
    if (said?.permissionDecision === "deny") return { block: true, reason: said.permissionDecisionReason }
    if (said?.additionalContext) warnings.set(event.toolCallId, said.additionalContext)
  })

  pi.on("tool_result", async (event, ctx) => {
    const texts = [warnings.get(event.toolCallId)]
    warnings.delete(event.toolCallId)
    const isNested = "parentToolCallId" in event && event.parentToolCallId // its result goes to a script
    if (!isNested && Date.now() >= restUntil) {
      restUntil = Infinity // of tools side by side one asks
      const said = await hook("tool_result", ctx, { toolName: event.toolName })
      restUntil = said ? 0 : Date.now() + REST
      texts.push(said?.additionalContext)
    }
    const news = texts.filter(Boolean).map((text) => ({ type: "text" as const, text: `\n${text}` }))
    if (news.length > 0) return { ...event, content: [...event.content, ...news] }
  })
}
