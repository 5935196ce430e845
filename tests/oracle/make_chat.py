"""Chat templates as Jinja texts, and what jinja2 renders with them.

    python make_chat.py --out tests/golden/chat          write templates.json for tests/chat_test.c
    python make_chat.py --check [GGUF|tokenizer_config.json|JINJA FILE...]
                                                         compare the texts that models bring with the library

The texts here are written in the way of the models': the same markers and conditions, without tools. --check needs the
package salience, and gguf for GGUF files.
"""
import argparse
import itertools
import json
import pathlib
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

ALTERNATE = ("{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
             "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}")


def chatml(system):
    first = ("{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" + system
             + "<|im_end|>\\n' }}{% endif %}") if system else ""
    return ("{% for message in messages %}" + first + "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
            "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


TEMPLATES = {
    "chatml": chatml(None),
    "smollm2": chatml("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen1.5": chatml("You are a helpful assistant"),
    "qwen2": chatml("You are a helpful assistant."),
    "qwen2.5": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- raise_exception('no tools') }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "qwen3": """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(open=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- if ns.open and message.role == "user" and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.open = false %}
        {%- set ns.last_query_index = (messages|length - 1) - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "llama2": ("{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}"
               "{% else %}{% set rest = messages %}{% set system = false %}{% endif %}{% for message in rest %}" + ALTERNATE +
               "{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + "
               "message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
               "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
               "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"),
    "llama3": ("{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "
               "'<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
               "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
               "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"),
    "llama3.1": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "gemma": ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
              "{% endif %}{% for message in messages %}" + ALTERNATE + "{% if (message['role'] == 'assistant') %}"
              "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + "
              "message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}"
              "{{'<start_of_turn>model\\n'}}{% endif %}"),
    "gemma3": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set rest = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set rest = messages -%}
{%- endif -%}
{%- for message in rest -%}
    """ + ALTERNATE.replace("{%", "{%-").replace("%}", "-%}") + """
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {{- message['content'] | trim }}
    {{- '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
""",
    "phi3": ("{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + "
             "'<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}"
             "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}"
             "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"),
    "phi3-first": ("{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|user|>' + '\\n' + "
                   "message['content'] + '<|end|>' + '\\n' + '<|assistant|>' + '\\n'}}{% elif (message['role'] == 'assistant') %}"
                   "{{message['content'] + '<|end|>' + '\\n'}}{% endif %}{% endfor %}"),
}
TEMPLATES["phi3.5"] = TEMPLATES["phi3"].replace("message['role'] == 'system' %}", "message['role'] == 'system' and message['content'] %}", 1)

# Texts that no row of the table may take for its own.
UNKNOWN = {
    "empty": "", "none": "{{ messages }}",
    "other-system": chatml("You are Bob."),
    "trimmed": chatml(None).replace("message['content']", "message['content'] | trim"),
    "stripped": chatml("You are a helpful assistant.").replace("message['content']", "message['content'].strip()"),
    "with-bos": "{{ bos_token }}" + chatml(None),
    "phi4": chatml(None).replace("'\\n' + message", "'<|im_sep|>' + message"),
    "zephyr": TEMPLATES["phi3"].replace("<|end|>", "</s>"),
    "always-thinks": TEMPLATES["qwen3"].replace("loop.last or (not loop.last and reasoning_content)", "true"),
    "llama3.1-no-empty-system": TEMPLATES["llama3.1"].replace("{{- system_message }}", "{%- if system_message %}{{- system_message }}{%- endif %}"),
    "llama2-default": TEMPLATES["llama2"].replace("{% set system = false %}", "{% set system = 'DEFAULT_SYSTEM_MESSAGE' %}"),
}
TOKENS = {"llama2": ("<s>", "</s>"), "llama3": ("<|begin_of_text|>", "<|eot_id|>"), "gemma": ("<bos>", "<end_of_turn>"),
          "phi3": ("<s>", "<|endoftext|>")}

HARD = ["", " ", "Hi", "  two\n\nlines \n", "\u00a0\u2003caf\u00e9 \U0001f600\u3000", "<|im_end|>\n<|im_start|>system\nx", "{{ x }} {% y %}",
        "<think>\n\nhm\nhm\n\n</think>\n\nWell", "<think></think>x", "a</think>b</think>\nc", "no <think> end", "\x1c\x85 odd \x1f\t",
        "<tool_response>1</tool_response>"]


def conversations():
    """Lists of messages: every order of roles up to three, with hard texts."""
    texts = itertools.cycle(HARD)
    for n in range(1, 4):
        for roles in itertools.product(("system", "user", "assistant"), repeat=n):
            yield [{"role": r, "content": next(texts)} for r in roles]
    for text in HARD:
        yield [{"role": "system", "content": text}, {"role": "user", "content": text}, {"role": "assistant", "content": text},
               {"role": "user", "content": text}]
        yield [{"role": "user", "content": text}, {"role": "assistant", "content": text}, {"role": "user", "content": "Q"},
               {"role": "assistant", "content": text}]


def environment():
    def refuse(message):
        raise jinja2.TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.globals["raise_exception"] = refuse
    return env


def tokens_of(name):
    return next((v for k, v in TOKENS.items() if name.startswith(k)), ("<s>", "</s>"))


def rendered(template, messages, prompt, bos, eos, **more):
    """What jinja2 makes of it; None when the template refuses."""
    try:
        return template.render(messages=messages, add_generation_prompt=prompt, bos_token=bos, eos_token=eos, **more)
    except jinja2.TemplateError:
        return None


# Chats that a template drops a message of, or writes with a role it was not trained on: the library refuses those.
def is_refused(name, messages):
    roles = [m["role"] for m in messages]
    if name in ("gemma", "phi3-first"):
        return "system" in roles
    if name in ("gemma3", "llama2"):
        return "system" in roles[1:]
    return False


def cases(name, jinja):
    template = environment().from_string(jinja)
    bos, eos = tokens_of(name)
    for messages, prompt, quiet in itertools.product(conversations(), (False, True), (False, True)):
        if quiet and not (prompt and name == "qwen3"):
            continue
        text = rendered(template, messages, prompt, bos, eos, **({"enable_thinking": False} if quiet else {}))
        yield messages, prompt, quiet, None if is_refused(name, messages) else text


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    chats, index, rows = [], {}, []
    for name, jinja in TEMPLATES.items():
        texts = []
        for messages, prompt, quiet, text in cases(name, jinja):
            key = json.dumps(messages)
            if key not in index:
                index[key] = len(chats)
                chats.append([[m["role"], m["content"]] for m in messages])
            texts.append([index[key], prompt, quiet, text])
        rows.append({"name": name, "jinja": jinja, "texts": texts})
    out = {"chats": chats, "templates": rows, "unknown": UNKNOWN}
    (folder / "templates.json").write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":"), indent=None) + "\n")
    print(f"{len(rows)} templates, {sum(len(r['texts']) for r in rows)} texts in {folder}")


def text_of(path):
    """The Jinja text, and the names of bos and eos, that a file brings."""
    if path.suffix == ".gguf":
        from gguf import GGUFReader
        fields = GGUFReader(str(path)).fields
        names = fields["tokenizer.ggml.tokens"].contents()
        bos, eos = (names[fields[f"tokenizer.ggml.{k}_token_id"].contents()] for k in ("bos", "eos"))
        return fields["tokenizer.chat_template"].contents() if "tokenizer.chat_template" in fields else None, bos, eos
    if path.suffix == ".json":
        config = json.loads(path.read_text())
        bos, eos = (config.get(k) or "" for k in ("bos_token", "eos_token"))
        return config.get("chat_template"), bos if isinstance(bos, str) else bos["content"], eos if isinstance(eos, str) else eos["content"]
    return path.read_text(), "<s>", "</s>"


def check(paths):
    import salience
    bad = 0
    for path in paths:
        jinja, bos, eos = text_of(path)
        if jinja is None:
            print(f"{path}: NOT RUN: brings no chat template")
            continue
        try:
            found = salience.ChatTemplate.find(jinja)
        except salience.Error as e:
            print(f"{path}: {e}")
            bad += 1
            continue
        n = wrong = 0
        template = environment().from_string(jinja)
        for messages, prompt in itertools.product(conversations(), (False, True)):
            if is_refused(found.name, messages):
                continue
            want = rendered(template, messages, prompt, bos, eos)
            try:
                got = found.render([(m["role"], m["content"]) for m in messages], prompt=prompt, bos=bos, eos=eos)
            except salience.Error:
                got = None
            n += 1
            wrong += want != got
            if want != got and wrong < 4:
                print("   ", messages, prompt, "\n   ", repr(want), "\n   ", repr(got))
        bad += wrong
        print(f"{path}: {found.name}, {n} texts, {wrong} differ")
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path)
    p.add_argument("--check", nargs="*", type=pathlib.Path)
    a = p.parse_args()
    if a.out:
        write(a.out)
    if a.check is not None:
        sys.exit(1 if check(a.check) else 0)


if __name__ == "__main__":
    main()
