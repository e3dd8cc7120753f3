// What of the page's scripts can be wrong without being noticed: there is no compiler that would say so.
const browser = [
  "AbortController", "AbortSignal", "Blob", "BroadcastChannel", "CSS", "CustomEvent", "DOMException", "Event",
  "IntersectionObserver", "ResizeObserver", "TextDecoderStream", "URL", "URLSearchParams", "addEventListener",
  "clearTimeout", "crypto", "dispatchEvent", "document", "fetch", "getComputedStyle", "getSelection", "history",
  "localStorage", "location", "navigator", "performance", "reportError", "sessionStorage", "setInterval", "setTimeout",
];

export default [
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: Object.fromEntries(browser.map((one) => [one, "readonly"])) },
    rules: {
      "no-undef": "error", "no-unused-vars": "error", "no-const-assign": "error", "no-dupe-keys": "error",
      "no-unreachable": "error", "no-self-compare": "error", "no-eval": "error", "no-implied-eval": "error",
      "no-loss-of-precision": "error", "no-unsafe-finally": "error", "no-var": "error", "prefer-const": "error", "eqeqeq": "error",
      "no-shadow": "error", "no-fallthrough": "error", "no-promise-executor-return": "off", "valid-typeof": "error",
    },
  },
];
