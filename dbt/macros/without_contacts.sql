{#- A public text without the e-mail addresses and phone numbers that people write into it. -#}
{% macro without_contacts(text) -%}
    regexp_replace(
        regexp_replace({{ text }}, '\S*@[[:alnum:]-]+[.][[:alpha:]]{2}\S*', '[contact]', 'g'),
        '[+][1-9]\d{7,}', '[contact]', 'g'
    )
{%- endmacro %}
