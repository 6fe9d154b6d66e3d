{#- A public text without the e-mail addresses and phone numbers that people write into it; in addresses of pages the @
    may be escaped, more than once. -#}
{% macro without_contacts(text) -%}
    regexp_replace(
        regexp_replace({{ text }}, '\S*(@|%(25)*40)[[:alnum:]-]+[.][[:alpha:]]{2}\S*', '[contact]', 'g'),
        '[+][1-9]\d{7,}', '[contact]', 'g'
    )
{%- endmacro %}
