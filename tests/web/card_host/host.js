// A host in a page: the official bridge of MCP Apps around a frame, and whatever the test does behind it.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

window.heard = { messages: [], contexts: [], links: [], sizes: [] };

window.render = async ({ src, input, result, capabilities, context }) => {
  const bridge = new AppBridge(null, { name: "test-host", version: "1" }, capabilities, { hostContext: context });
  bridge.oncalltool = (params) => window.callTool(params);
  bridge.onmessage = async ({ role, content }) => {
    window.heard.messages.push({ role, content });
    return {};
  };
  bridge.onupdatemodelcontext = async ({ content }) => {
    window.heard.contexts.push(content);
    return {};
  };
  bridge.onopenlink = async ({ url }) => {
    window.heard.links.push(url);
    return {};
  };
  bridge.addEventListener("sizechange", ({ height }) => {
    window.heard.sizes.push(height);
    frame.style.height = `${height}px`;
  });
  bridge.addEventListener("initialized", () => {
    bridge.sendToolInput({ arguments: input });
    if (result) bridge.sendToolResult(result);
  });
  window.bridge = bridge;
  const frame = document.createElement("iframe");
  frame.title = "card";
  frame.setAttribute("sandbox", "allow-scripts");
  document.getElementById("chat").append(frame);
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = src;
};
