{#- The kind of click id in a page's address. Facebook marks organic clicks too, so its own comes last. -#}
{% macro click_id(page) -%}
    lower(
        coalesce(
            substring({{ page }} from '(?i)[?&](gclid|gbraid|wbraid|msclkid|ttclid)=[^&#]'),
            substring({{ page }} from '(?i)[?&](fbclid)=[^&#]')
        )
    )
{%- endmacro %}

{#- The domain of a page's address, without www. -#}
{% macro domain_of(page) -%}
    lower(substring({{ page }} from '(?i)^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www[.])?([^/?#:]+)'))
{%- endmacro %}

{#- Whether a domain is another one or below it. -#}
{% macro is_within(domain, other) -%}
    ({{ domain }} = {{ other }} or right({{ domain }}, length({{ other }}) + 1) = '.' || {{ other }})
{%- endmacro %}
